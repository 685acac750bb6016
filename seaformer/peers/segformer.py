"""SegFormer (Xie et al., NeurIPS 2021) by Hugging Face transformers, from its configuration."""

from typing import Any

from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation


class SegFormer(nn.Module):
    """Semantic segmentation; `network` is the library's own, and so are the names of its weights.

    Forward: float32 [N, 3, H, W], normalised RGB -> logits float32
    [N, classes, ceil(H / 4), ceil(W / 4)].
    """

    def __init__(self, hidden_sizes: tuple[int, ...], classes: int) -> None:
        super().__init__()
        settings: dict[str, Any] = {
            "hidden_sizes": list(hidden_sizes),
            "num_labels": classes,
            # As matrix products, which are counted and have a name in every format.
            "attn_implementation": "eager",
        }
        self.network = SegformerForSemanticSegmentation(SegformerConfig(**settings))

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits at one fourth of the picture's sides."""
        logits: Tensor = self.network(image).logits
        return logits
