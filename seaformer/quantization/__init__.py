"""Choosing the integers of quantized files, and training a network with their rounding.

Files are quantized by `seaformer.export.quantize`; `tensors` is the table of what they round, which
the export and `seaformer-train --quantization` share.
"""
