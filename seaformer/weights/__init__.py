"""Weights: the released files, their keys, reading checkpoints, and seeded random weights."""
