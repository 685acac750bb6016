"""Model files to be measured: what each is given, and what it has to answer."""
