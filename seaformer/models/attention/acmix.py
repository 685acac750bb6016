"""ACmix (Pan et al., CVPR 2022, arXiv 2111.14556): attention and convolution from the same q, k, v.

    y = a * attention(q, k, v) + b * convolution(q, k, v)          a, b learned; q, k, v 1x1 convs

Every position attends to its 7 x 7 neighborhood (the map is mirrored at its edges). The offset
between key and query is encoded by r, a linear layer on coordinates from -1 to 1:

    attention_x = sum_n softmax_n(q_x (k_n + r_x - r_n) / sqrt(d)) v_n        O(49 HW (Cqk + Cv))

q_x r_x is the same for all n and has no effect on the softmax, so it is omitted: keys are k - r.
For the convolution, a linear layer maps the 3 x heads maps of each of the d channels to 3 x 3 maps,
one per tap (27 C products per position). These are shifted and added by a grouped 3 x 3 convolution
(81 C) with learned kernels, initialized as shifts in training. Details that the paper leaves open
(biases, mirrored edges, coordinates, learned shifts) follow the authors' code, LeapLabTHU/ACmix,
ResNet/test_bottleneck.py.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.attention.heads import attend

ATTENDED = 7
"""Side length of the neighborhood that a position attends to."""
TAPS = 3
"""Side length of the convolution kernel."""


class Neighborhood(nn.Module):
    """The neighborhood of every position: [N, C, H, W] -> [NHW, ATTENDED^2, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """Collect rows, then columns of rows: 14 slices instead of 49."""
        height, width = x.shape[2:]
        padded = F.pad(x, [ATTENDED // 2] * 4, mode="reflect").permute(0, 2, 3, 1)
        rows = torch.cat([padded[:, i : i + height] for i in range(ATTENDED)], dim=3)
        around = torch.cat([rows[:, :, j : j + width] for j in range(ATTENDED)], dim=3)
        return around.reshape(-1, ATTENDED**2, x.shape[1])


class PositionEncoding(nn.Module):
    """Subtracts r from the keys of every head: [N, C, H, W] -> [N, C, H, W]."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(2, head_dim, 1)

    def forward(self, key: Tensor) -> Tensor:
        """Subtract from every key the encoding of its position."""
        height, width = key.shape[2:]
        across, down = (
            torch.linspace(-1, 1, count, dtype=key.dtype, device=key.device)
            for count in (width, height)
        )
        places = torch.stack([across.expand(height, width), down[:, None].expand(height, width)])
        encoding = self.projection(places[None])
        heads = key.shape[1] // encoding.shape[1]
        return key - encoding.repeat(1, heads, 1, 1)


class ShiftedConvolution(nn.Module):
    """The convolution branch: q, k and v, each [N, C, H, W] -> [N, C, H, W]."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads, head_dim = heads, channels // heads
        self.mix = nn.Conv2d(3 * heads, TAPS**2, 1, bias=False)
        self.shift = nn.Conv2d(
            TAPS**2 * head_dim, channels, TAPS, padding=TAPS // 2, groups=head_dim, bias=False
        )

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Mix the maps of each channel into one map per tap, shift them and add them."""
        maps = torch.cat([query, key, value], dim=1).flatten(2)
        taps = self.mix(maps.unflatten(1, (3 * self.heads, -1)))
        return self.shift(taps.transpose(1, 2).flatten(1, 2).unflatten(2, query.shape[2:]))


class ACmix(nn.Module):
    """Weighted sum of attention and convolution: [N, channels, H, W] -> [N, channels, H, W]."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.position = PositionEncoding(channels // heads)
        self.neighborhood = Neighborhood()
        self.convolution = ShiftedConvolution(channels, heads)
        self.attention_rate = nn.Parameter(torch.full((1,), 0.5))
        self.convolution_rate = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Compute both branches and their weighted sum."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        tokens = query.permute(0, 2, 3, 1).reshape(-1, 1, query.shape[1])
        keys = self.neighborhood(self.position(key))
        attended = attend(tokens, keys, self.neighborhood(value), heads=self.heads)
        attended = attended.reshape(-1, *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2)
        convolved = self.convolution(query, key, value)
        return self.attention_rate * attended + self.convolution_rate * convolved
