"""Swin's self-attention within shifted windows (Liu et al., ICCV 2021, arXiv 2103.14030).

    Y = softmax(Q K^T / sqrt(d) + B + M) V      per window of m x m and head      O(m^2 HW C)

with m = 7 and relative position bias B (Section 3.2). Every second block shifts the map by m // 2
positions, cyclically, before it is split into windows. Windows at the end of an axis then contain
positions from both ends of the map, which the mask M keeps apart: -100 between them, else 0. As in
the official code, sides are padded with zeros to multiples of m before the shift, and an axis with
a single window is not shifted.

Unlike in the official code, no tensor has more than four axes: see `split_windows`. B + M is one
constant of the exported file.
"""

import torch
from torch import Tensor, nn

from seaformer.models.attention.channels_first import ChannelLinear
from seaformer.models.attention.heads import attend
from seaformer.models.attention.window import (
    WINDOW,
    RelativePositionBias,
    join_windows,
    pad_to_windows,
    split_windows,
)

SHIFT = WINDOW // 2
MASKED = -100.0
"""Added to the score of two positions that are not neighbors in the unshifted map."""


class ShiftedWindowAttention(nn.Module):
    """Self-attention in every window: [N, channels, H, W] -> [N, channels, H, W].

    `is_shifted` is whether the windows are shifted.
    """

    paper_title = "window attention"
    paper_section = "3.2 Shifted Window based Self-Attention"
    paper_own_title = "windows, attention: products, softmax"

    def __init__(self, channels: int, heads: int, *, is_shifted: bool) -> None:
        super().__init__()
        self.heads = heads
        self.is_shifted = is_shifted
        self.query_key_value = ChannelLinear(channels, 3 * channels)
        self.position = RelativePositionBias(heads)
        self.projection = ChannelLinear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention within each window."""
        padded = pad_to_windows(x)
        height, width = (int(side) for side in padded.shape[2:])
        down, right = (
            SHIFT if self.is_shifted and side > WINDOW else 0 for side in (height, width)
        )
        maps = self.query_key_value(_rolled(padded, -down, -right)).permute(0, 2, 3, 1)
        query, key, value = split_windows(maps).chunk(3, dim=2)
        bias = self.position()
        if down or right:
            mask = _mask(height, width, down, right).to(bias)[:, None]
            images = int(x.shape[0])
            bias = (bias + mask).repeat(images, 1, 1, 1) if images > 1 else bias + mask
        attended = attend(query, key, value, heads=self.heads, bias=bias)
        y = join_windows(attended, height, width).permute(0, 3, 1, 2)
        y = _rolled(y, down, right)[:, :, : x.shape[2], : x.shape[3]]
        return self.projection(y)


def _rolled(x: Tensor, down: int, right: int) -> Tensor:
    """Shift [N, C, H, W] cyclically, as torch.roll, but as slices of one axis at a time."""
    for axis, shift in ((2, down), (3, right)):
        if shift:
            last = shift % x.shape[axis]
            x = torch.cat(x.split([x.shape[axis] - last, last], dim=axis)[::-1], dim=axis)
    return x


def _mask(height: int, width: int, down: int, right: int) -> Tensor:
    """Return the mask of a shifted map, [windows, WINDOW^2, WINDOW^2]."""
    rows, columns = (
        torch.arange(side) >= side - shift for side, shift in ((height, down), (width, right))
    )
    # Two bits: whether the position comes from the other end of its column, and of its row.
    ends = 2 * rows[:, None].long() + columns[None].long()
    windows = split_windows(ends[None, :, :, None])[:, :, 0]
    apart = windows[:, :, None] != windows[:, None, :]
    return torch.where(apart, MASKED, 0.0)
