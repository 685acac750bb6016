"""Models of selected operators of a file, and tolerances of their tensors to a reference."""
