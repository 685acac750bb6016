"""Tables like the paper's, one command each: their contents and the origin of their files."""
