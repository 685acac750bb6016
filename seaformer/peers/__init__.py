"""Other mobile segmentation networks, to be measured by the same path as SeaFormer."""
