"""Compiling exported files for the NPU of a chip."""
