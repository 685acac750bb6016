"""`seaformer-benchmark attention`: growth of the latency of attention layers (Figure 1, left)."""
