"""The Python API: `seaformer.load` and what its models return.

It is the topmost layer: it calls what the commands call, without printing.
"""
