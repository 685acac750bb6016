"""From the output of a detection network to boxes: anchors, decoding, non-maximum suppression."""

SHOWN_SCORE = 0.3
"""Lowest score of the detections that are drawn and listed, and that count in the score of a single
image."""
