"""Whether a file computes what PyTorch computes."""
