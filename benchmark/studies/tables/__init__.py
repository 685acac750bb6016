"""The tables of the paper, each by one command: what is in them, and where its files come from."""
