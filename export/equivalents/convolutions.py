"""Scaled copies of channels, dilated transposed convolutions, patches, and the sums of patches.

copies     A depth-wise kernel of 1x1 with several outputs per channel equals one of 3x3 with zeros
           around its value. LiteRT's GPU accelerator computes only the latter (`--blame gpu`).
dilated    A kernel with dilation d equals a kernel of d (k - 1) + 1 taps with zeros inserted.
fold       A column of patches has C kh kw channels. A transposed convolution adds each channel at
           its position: the weight from input channel (c, i, j) to output channel c is 1 at tap
           (i, j), and all other weights are 0.
unfold     The same in reverse: the patches of a channel are its convolutions with a kernel for each
           tap. Patches that do not overlap are blocks of positions.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seaformer.export.equivalents.static_shapes import integers, static_shape


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Compute a convolution, see `torch.nn.functional.conv2d`."""
    outs, *kernel = static_shape(weight)
    if kernel == [1, 1, 1] and outs > groups > 1 and _pair(padding) == (0, 0):
        weight = F.pad(weight, (1, 1, 1, 1)).reshape(outs, 1, 3, 3)  # constant in the trace
        padding, dilation = 1, 1
    return F.conv2d(input, weight, bias, stride, padding, dilation, groups)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Compute a transposed convolution, see `torch.nn.functional.conv_transpose2d`."""
    height, width = _pair(dilation)
    if (height, width) != (1, 1):
        ins, outs, rows, columns = static_shape(weight)
        spread = F.pad(
            weight.reshape(ins, outs, rows, 1, columns, 1), (0, width - 1, 0, 0, 0, height - 1)
        ).reshape(ins, outs, rows * height, columns * width)
        weight = spread[:, :, : (rows - 1) * height + 1, : (columns - 1) * width + 1]
    return F.conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups)


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Add patches at their positions, see `torch.nn.functional.fold`."""
    sizes, kernel = integers(_pair(output_size)), _pair(kernel_size)
    geometry = zip(sizes, kernel, _pair(dilation), _pair(padding), _pair(stride), strict=True)
    grid, left = [], []
    for size, taps, spacing, pad, step in geometry:
        positions, rest = divmod(size + 2 * pad - spacing * (taps - 1) - 1, step)
        grid.append(positions + 1)
        left.append(rest)
    patches, _ = static_shape(input)[-2:]
    channels = patches // (kernel[0] * kernel[1])
    weight = torch.eye(patches, dtype=input.dtype).reshape(patches, channels, *kernel)
    columns = input.reshape(1, patches, *grid)
    return conv_transpose2d(columns, weight, None, stride, padding, tuple(left), 1, dilation)


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Extract patches, see `torch.nn.functional.unfold`."""
    shape = static_shape(input)
    if len(shape) != 4:
        return F.unfold(input, kernel_size, dilation, padding, stride)
    height, width = _pair(kernel_size)
    divides = shape[2] % height == shape[3] % width == 0
    is_apart = _pair(stride) == (height, width) and _pair(padding) == (0, 0) and divides
    if is_apart and height == width and _pair(dilation) == (1, 1):
        return F.pixel_unshuffle(input, height).flatten(2)
    taps = torch.eye(height * width, dtype=input.dtype).reshape(-1, 1, height, width)
    weight = torch.cat([taps] * shape[1])
    return F.conv2d(input, weight, None, stride, padding, dilation, shape[1]).flatten(2)


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[-1]) if isinstance(value, tuple | list) else (value, value)
