"""The product of a matrix with one axis of a feature map, as a 1 x 1 convolution.

    y[..., i, ...] = sum_j matrix[i, j] x[..., j, ...]

A convolution sums over channels, so the axis is swapped with the channels and back. Runtimes and
accelerators support convolutions, and converters know the layout of their operands; neither is true
of products of tensors with four axes. A matrix that only selects becomes a selection.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from seaformer.export.equivalents.static_shapes import untraced

CHANNELS, HEIGHT, WIDTH = 1, 2, 3

WIDE = 2
"""Columns of the map used to probe a function of the height. With a single column, torch's
antialiasing assumes another layout, and its result differs from that on a wider map."""


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
    """Return the matrix of a linear function of one axis by applying it to the identity.

    Args:
        resample: maps the height of [1, C, length, WIDE], the same for each channel and column.
        length: length of the axis.

    Returns:
        float64 [length in the result, length].
    """
    with untraced():
        identity = torch.eye(length, dtype=torch.float64)[None, :, :, None]
        return resample(identity.repeat(1, 1, 1, WIDE))[0, :, :, 0].T.contiguous()
