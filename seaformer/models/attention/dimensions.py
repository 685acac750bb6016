"""What all attention layers of the registry have in common.

The paper's Figure 1 does not say how wide its layers are nor how many heads they have. Here all
have those of SeaFormer-T's attention at stride 64: 160 channels, 4 heads, query and key of 24
channels and value of 48 for each head. MixFormer and ACmix divide their width as their papers say.
"""

CHANNELS = 160
KEY_DIM = 24
HEADS = 4

MIN_SIDE = 8
"""The smallest of the figure."""
USUAL_SIZE = (64, 64)
"""Height and width of the features, unless others are asked for."""
