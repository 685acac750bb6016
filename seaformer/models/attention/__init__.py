"""Attention layers on their own, to compare how their cost grows: the paper's Figure 1, left."""
