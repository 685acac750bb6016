"""Lint: what is known of a .tflite file's operators on an accelerator, without running them."""
