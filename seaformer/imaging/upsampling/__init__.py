"""From logits to masks at full resolution."""

from seaformer.imaging.upsampling.argmax import upsample_argmax

__all__ = ["upsample_argmax"]
