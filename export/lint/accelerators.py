"""The accelerators that lint can be asked about; a file of its own, as `--help` lists them."""

CPU, GPU = "cpu", "gpu"

ACCELERATORS = (CPU, GPU)
"""Names for --accelerator. Nothing is known to be wrong on the CPU, which every export is verified
on; it is here so that one list of accelerators serves the whole command."""
