"""`seaformer-benchmark pareto`: published mIoU over latency measured here (Figure 1, right)."""
