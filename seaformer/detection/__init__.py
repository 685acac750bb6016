"""From the output of a detection network to boxes: anchors, decoding, non-maximum suppression."""
