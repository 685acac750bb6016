"""`seaformer-benchmark --blame`: the first operator that a device computes differently."""
