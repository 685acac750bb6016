"""Lint: known faults of accelerators with a .tflite file's operators, without running them."""
