"""Extracting operators of a file as a model, and tolerances for comparing its tensors."""
