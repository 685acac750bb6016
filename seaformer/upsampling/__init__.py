"""From logits to masks at full resolution."""

from seaformer.upsampling.argmax import upsample_argmax

__all__ = ["upsample_argmax"]
