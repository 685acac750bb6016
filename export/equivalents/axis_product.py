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
    rows, columns = matrix.shape
    if rows == columns and torch.equal(matrix, torch.eye(rows, dtype=matrix.dtype)):
        return x
    if ((matrix == 1).sum(1) == 1).all() and ((matrix != 0).sum(1) == 1).all():
        return x.index_select(axis, matrix.argmax(1))
    weight = matrix.to(x.dtype)[:, :, None, None]
    return F.conv2d(x.transpose(CHANNELS, axis), weight).transpose(CHANNELS, axis)


def matrix_of(resample: Callable[[Tensor], Tensor], length: int) -> Tensor:
    """Return the matrix of a linear function of one axis, which is what it makes of the identity.

    Args:
        resample: maps the height of [1, C, length, WIDE], for each channel and column alike.
        length: of the axis.

    Returns:
        float64 [length in the result, length].
    """
    identity = torch.eye(length, dtype=torch.float64)
    return resample(identity[None, :, :, None].repeat(1, 1, 1, WIDE))[0, :, :, 0].T.contiguous()
