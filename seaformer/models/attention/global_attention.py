"""Global self-attention: every position attends to every position.

Vaswani et al. (NeurIPS 2017, arXiv 1706.03762), applied to feature maps as in TopFormer:

    Y = softmax(Q K^T / sqrt(d)) V      per head      O(H^2 W^2 (Cqk + Cv))

Q, K and V come from 1x1 convolutions with BatchNorm; ReLU6 and another such convolution follow.
TopFormer's own layer (`seaformer.models.topformer`) does not scale the scores.
"""

from torch import Tensor, nn

from seaformer.models.attention.heads import QueryKeyValue, attend_maps
from seaformer.models.seaformer.attention import VALUE_RATIO
from seaformer.models.seaformer.convolution import ConvBN


class GlobalAttention(nn.Module):
    """Self-attention between all positions: [N, channels, H, W] -> [N, channels, H, W]."""

    def __init__(self, channels: int, key_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = QueryKeyValue(channels, key_dim, heads)
        self.act = nn.ReLU6()
        self.projection = ConvBN(VALUE_RATIO * key_dim * heads, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Let every position attend to every position."""
        return self.projection(self.act(attend_maps(*self.qkv(x), heads=self.heads)))
