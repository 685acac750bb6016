"""The product of a matrix with one axis of a feature map, as a convolution of 1 x 1.

    y[..., i, ...] = sum_j matrix[i, j] x[..., j, ...]

A convolution sums over channels, so the axis is put in the place of the channels and back. Runtimes
and accelerators have convolutions, and converters know how their operands are stored, neither of
which holds of products of four axes. A matrix that only selects is a selection.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from seaformer.export.equivalents.static_shapes import untraced

CHANNELS, HEIGHT, WIDTH = 1, 2, 3

WIDE = 2
"""Columns of the map that shows what a function makes of the height. With a single one, torch's
antialiasing takes the map for another layout, and gives another result than on a wider map."""


def axis_product(x: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiply one axis of a map.

    Args:
        x: [N, C, H, W].
        matrix: float64 [length of the axis in the result, length of the axis].
        axis: 1, 2 or 3.
    """
    with untraced():
        selected = matrix.argmax(1)
        selection = torch.eye(matrix.shape[1], dtype=matrix.dtype)[selected]
        is_selection = torch.equal(matrix, selection)
        is_identity = is_selection and selected.tolist() == list(range(x.shape[axis]))
        weight = matrix.to(x.dtype)[:, :, None, None]
    if is_identity:
        return x
    if is_selection:
        return x.index_select(axis, selected)
    return F.conv2d(x.transpose(CHANNELS, axis), weight).transpose(CHANNELS, axis)


def matrix_of(resample: Callable[[Tensor], Tensor], length: int) -> Tensor:
    """Return the matrix of a linear function of one axis, which is what it makes of the identity.

    Args:
        resample: maps the height of [1, C, length, WIDE], for each channel and column alike.
        length: of the axis.

    Returns:
        float64 [length in the result, length].
    """
    with untraced():
        identity = torch.eye(length, dtype=torch.float64)[None, :, :, None]
        return resample(identity.repeat(1, 1, 1, WIDE))[0, :, :, 0].T.contiguous()
