"""Dimensions shared by all attention layers of the registry.

Figure 1 of the paper states neither the width of its layers nor their number of heads. Here, all
are as in SeaFormer-T's attention at stride 64: 160 channels and 4 heads, each with 24 channels
of query and key and 48 of value. MixFormer and ACmix divide their width as in their papers.
"""

CHANNELS = 160
KEY_DIM = 24
HEADS = 4

MIN_SIDE = 8
"""Smallest side length in the figure."""
USUAL_SIZE = (64, 64)
"""Default height and width of the features."""
