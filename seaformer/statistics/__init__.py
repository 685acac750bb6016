"""How sure a measured number is: the one bootstrap."""
