"""Linear layer, LayerNorm and GELU for channels-first maps: [N, C, H, W] instead of [N, HW, C].

`nn.Linear` and `nn.LayerNorm` would need a transposition before and after, and converters then
confuse the axes. The parameters have the names and shapes of those two layers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelLinear(nn.Linear):
    """A linear layer over the channels of every position: [N, C, H, W] -> [N, D, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply it as a 1x1 convolution."""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of every position: [N, C, H, W] -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        """Normalize to mean 0 and variance 1, then scale and shift."""
        centered = x - x.mean(1, keepdim=True)
        variance = centered.square().mean(1, keepdim=True)
        normalized = centered / (variance + self.eps).sqrt()
        # The batch axis is explicit; without it, a converter could mistake the channels for the
        # rows of a map with the same number of rows.
        weight, bias = self.weight[None, :, None, None], self.bias[None, :, None, None]
        return normalized * weight + bias


class GELU(nn.Module):
    """GELU, x * Phi(x), with products in the order that the TFLite converter fuses.

    `nn.GELU` computes the same, but as operators that the converter cannot fuse to its own GELU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply GELU to every element."""
        return (x * 0.5) * (torch.erf(x * 0.5**0.5) + 1.0)
