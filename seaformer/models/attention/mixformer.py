"""The mixing attention of MixFormer (Chen et al., CVPR 2022, arXiv 2204.02557, Sections 3.1, 3.2).

Window attention and a depth-wise convolution run in parallel, and each gates the other:

    a = W-MSA(Q, K, sigmoid(channel(mean(c))) * V)      c = GELU(BN(DwConv3x3(LN(W_c x))))
    y = W [LN(a) | BN(sigmoid(spatial(a)) * P c)]       Q, K, V of LN(W_a x), C/2 channels wide

O(m^2 HW C) for the windows, which are 7 x 7 and not shifted, and O(9 HW C) for the convolution.
`channel` and `spatial` are 1x1 conv, BN, GELU, 1x1 conv: they reduce to C/8 or C/16 channels, and
return one number per channel of the value, or one per position. Details that the paper's figures
leave open (widths, position of norms, padding of the whole layer to windows) follow the authors'
code in PaddleClas, ppcls/arch/backbone/model_zoo/mixformer.py. Convolutions followed by BatchNorm
have no bias, which the norm would subtract.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from seaformer.models.attention.channels_first import GELU, ChannelNorm
from seaformer.models.attention.heads import attend
from seaformer.models.attention.window import (
    RelativePositionBias,
    join_windows,
    pad_to_windows,
    split_windows,
)
from seaformer.models.seaformer.convolution import ConvBN


def _entry(channels: int, width: int) -> nn.Sequential:
    """Linear, then LayerNorm: [N, channels, H, W] -> [N, width, H, W]."""
    return nn.Sequential(OrderedDict(linear=nn.Conv2d(channels, width, 1), norm=ChannelNorm(width)))


class Interaction(nn.Module):
    """Gate that one branch computes for the other: 1x1 conv, BN, GELU, 1x1 conv, sigmoid.

    Forward: [N, channels, h, w] -> [N, width, h, w] in 0..1.
    """

    def __init__(self, channels: int, hidden: int, width: int) -> None:
        super().__init__()
        self.reduce = ConvBN(channels, hidden)
        self.act = GELU()
        self.expand = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the gate."""
        return self.expand(self.act(self.reduce(x))).sigmoid()


class ConvolutionBranch(nn.Module):
    """The depth-wise convolution: [N, channels, H, W] -> [N, channels, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = ConvBN(channels, channels, kernel=3, groups=channels)
        self.act = GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self.act(self.depthwise(x))


class Gated(nn.Module):
    """The convolution branch multiplied by the gate of the attention branch.

    Forward: [N, channels, H, W] and gate [N, 1, H, W] -> [N, channels / 2, H, W].
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(channels, channels // 2, 1)
        self.norm = nn.BatchNorm2d(channels // 2)

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        """Project, multiply by the gate, and normalize."""
        return self.norm(gate * self.projection(x))


class MixingAttention(nn.Module):
    """Window attention and depth-wise convolution that gate each other.

    Forward: [N, channels, H, W] -> [N, channels, H, W].
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        half = channels // 2
        self.heads = heads
        self.attention_entry = _entry(channels, half)
        self.convolution_entry = _entry(channels, channels)
        self.convolution = ConvolutionBranch(channels)
        self.channel_interaction = Interaction(channels, channels // 8, half)
        self.qkv = nn.Conv2d(half, 3 * half, 1)
        self.position = RelativePositionBias(heads)
        self.spatial_interaction = Interaction(half, channels // 16, 1)
        self.gated = Gated(channels)
        self.exit = nn.Sequential(OrderedDict(norm=ChannelNorm(half)))
        self.projection = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Mix both branches."""
        padded = pad_to_windows(x)
        fine = self.convolution(self.convolution_entry(padded))
        gate = self.channel_interaction(fine.mean((2, 3), keepdim=True))
        query, key, value = self.qkv(self.attention_entry(padded)).chunk(3, dim=1)
        windows = (split_windows(part.permute(0, 2, 3, 1)) for part in (query, key, value * gate))
        attended = attend(*windows, heads=self.heads, bias=self.position())
        attended = join_windows(attended, *padded.shape[2:]).permute(0, 3, 1, 2)
        local = self.gated(fine, self.spatial_interaction(attended))
        mixed = self.projection(torch.cat([self.exit(attended), local], dim=1))
        return mixed[:, :, : x.shape[2], : x.shape[3]]
