"""`seaformer-benchmark attention`: how the cost of attention layers grows (Figure 1, left)."""
