"""The SeaFormer layer: SEA attention and a feed-forward network, each with a residual."""

import torch
from torch import Tensor, nn

from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.convolution import ConvBN, InvertedResidual
from seaformer.models.seaformer.variants import StageSpec, Variant


class DropPath(nn.Module):
    """Stochastic depth: drops a whole residual branch per sample while training.

    Source: Huang et al., "Deep Networks with Stochastic Depth", 2016.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Return x in eval mode; in training, zero it or scale it to preserve its mean."""
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        mask = torch.empty(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device).bernoulli_(keep)
        return x * mask / keep


class FeedForward(nn.Module):
    """1x1 expansion, 3x3 depth-wise convolution with bias and no norm, ReLU6, 1x1 reduction.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "feed-forward network (FFN)"
    paper_parts = InvertedResidual.paper_parts

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        hidden = channels * ratio
        self.expand = ConvBN(channels, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.act = nn.ReLU6()
        self.reduce = ConvBN(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of each pixel with the channels of its eight neighbors."""
        return self.reduce(self.act(self.depthwise(self.expand(x))))


class SeaFormerLayer(nn.Module):
    """SEA attention, then the feed-forward network, each with a plain residual and no norm before.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    paper_title = "SeaFormer layer"
    paper_section = "3.1 Overall architecture (SeaFormer layer)"
    paper_own_title = "residuals"

    def __init__(self, variant: Variant, stage: StageSpec, drop_path: float) -> None:
        super().__init__()
        self.attention = SqueezeEnhancedAxialAttention(
            stage.channels, stage.key_dim, variant.heads, variant.detail, variant.combine
        )
        self.ffn = FeedForward(stage.channels, stage.ffn_ratio)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention and feed-forward network."""
        x = x + self.drop_path(self.attention(x))
        return x + self.drop_path(self.ffn(x))
