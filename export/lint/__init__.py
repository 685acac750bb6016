"""Lint: known faults of accelerators on operators of a .tflite file, found without running it."""
