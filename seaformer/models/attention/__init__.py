"""Single attention layers, to compare how their cost grows: Figure 1, left, of the paper."""
