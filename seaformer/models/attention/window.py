"""Self-attention within non-overlapping windows.

Swin (Liu et al., ICCV 2021, arXiv 2103.14030), Section 3.2:

    Y = softmax(Q K^T / sqrt(d) + B) V      per window of m x m and head      O(m^2 HW (Cqk + Cv))

with m = 7 and relative position bias B. Of Swin's two blocks, this is the one whose windows are not
shifted. As in the official code, sides are padded with zeros to multiples of m, at the bottom and
on the right, before the projections: tokens at the border also attend to the padding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.models.attention.heads import QueryKeyValue, attend
from seaformer.models.seaformer.attention import VALUE_RATIO
from seaformer.models.seaformer.convolution import ConvBN

WINDOW = 7


def pad_to_multiples(x: Tensor, step: int) -> Tensor:
    """Pad [N, C, H, W] with zeros at the bottom and on the right to multiples of `step`."""
    below, right = (-int(side) % step for side in x.shape[2:])
    return F.pad(x, (0, right, 0, below)) if below or right else x


def pad_to_windows(x: Tensor) -> Tensor:
    """Pad [N, C, H, W] at the bottom and on the right to multiples of `WINDOW`."""
    return pad_to_multiples(x, WINDOW)


def split_windows(x: Tensor) -> Tensor:
    """Split a map into windows: [N, H, W, C] -> [windows, WINDOW^2, C].

    A row of a window and its channels share one axis during the transposition, which keeps it at
    four axes: with more, runtimes on phones transpose more slowly or not at all.
    """
    width, channels = x.shape[2:]
    rows = x.reshape(-1, WINDOW, width // WINDOW, WINDOW * channels).transpose(1, 2)
    return rows.reshape(-1, WINDOW * WINDOW, channels)


def join_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Join windows to a map: [windows, WINDOW^2, C] -> [N, height, width, C]."""
    channels = windows.shape[2]
    rows = windows.reshape(-1, width // WINDOW, WINDOW, WINDOW * channels).transpose(1, 2)
    return rows.reshape(-1, height, width, channels)


class RelativePositionBias(nn.Module):
    """A learned number for each head and each offset between two tokens of a window.

    Forward: -> [heads, WINDOW^2, WINDOW^2].
    """

    index: Tensor
    """[WINDOW^2 * WINDOW^2]: row of the table for each pair of tokens."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        offsets = 2 * WINDOW - 1
        self.table = nn.Parameter(torch.zeros(offsets**2, heads))
        places = torch.stack(
            torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
        ).flatten(1)
        down, right = places[:, :, None] - places[:, None, :] + WINDOW - 1
        self.register_buffer("index", (down * offsets + right).flatten(), persistent=False)

    def forward(self) -> Tensor:
        """Look up the biases."""
        tokens = WINDOW * WINDOW
        return self.table[self.index].reshape(tokens, tokens, -1).permute(2, 0, 1)


class WindowAttention(nn.Module):
    """Self-attention in every window: [N, channels, H, W] -> [N, channels, H, W]."""

    def __init__(self, channels: int, key_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = QueryKeyValue(channels, key_dim, heads)
        self.position = RelativePositionBias(heads)
        self.act = nn.ReLU6()
        self.projection = ConvBN(VALUE_RATIO * key_dim * heads, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention within each window."""
        padded = pad_to_windows(x)
        windows = (split_windows(y.permute(0, 2, 3, 1)) for y in self.qkv(padded))
        attended = attend(*windows, heads=self.heads, bias=self.position())
        y = join_windows(attended, *padded.shape[2:]).permute(0, 3, 1, 2)
        return self.projection(self.act(y[:, :, : x.shape[2], : x.shape[3]]))
