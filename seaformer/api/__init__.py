"""The Python API: `seaformer.load` and what its models return.

It stands above everything else: what the commands call, without their printing.
"""
