"""The Python API: `seaformer.load`, and the types that its models return.

This is the topmost layer: it calls the same functions as the commands, without printing.
"""
