"""Models of some operators of a file, and how far their tensors may be from a reference."""
