"""Weights: released files, reading and writing checkpoints, and seeded random weights."""
