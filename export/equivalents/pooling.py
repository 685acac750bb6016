"""Pooling over cells of unequal size, and with a custom divisor.

adaptive maximum    cell i has the values start_i .. end_i - 1. Each cell is padded to the length of
                    the longest with its own last value, which does not change the maximum; then
                    all cells have the same length.
average             sum / divisor = average * (area of the window / divisor)
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seaformer.export.equivalents.axis_product import HEIGHT, WIDTH
from seaformer.export.equivalents.resampling import cells, divides
from seaformer.export.equivalents.static_shapes import static_shape


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Take the maximum of each cell of a grid, see `torch.nn.functional.adaptive_max_pool2d`."""
    sides = static_shape(input)[-2:]
    sizes: Any = cells(output_size, sides)
    if input.dim() != 4 or return_indices or divides(sizes, sides):
        return (
            F.adaptive_max_pool2d_with_indices(input, sizes)
            if return_indices
            else (F.adaptive_max_pool2d(input, sizes))
        )
    longest = []
    for axis, side, new in zip((HEIGHT, WIDTH), sides, sizes, strict=True):
        starts = [cell * side // new for cell in range(new)]
        ends = [-(-(cell + 1) * side // new) for cell in range(new)]
        longest.append(max(end - start for start, end in zip(starts, ends, strict=True)))
        places = [
            min(start + place, end - 1)
            for start, end in zip(starts, ends, strict=True)
            for place in range(longest[-1])
        ]
        input = input.index_select(axis, torch.tensor(places))
    return F.max_pool2d(input, tuple(longest))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Take the maximum of each cell of a line, see `torch.nn.functional.adaptive_max_pool1d`."""
    if return_indices:
        return F.adaptive_max_pool1d(input, output_size, return_indices)
    length = output_size if isinstance(output_size, int) else output_size[0]
    return adaptive_max_pool2d(input.unsqueeze(-1), (length, 1)).squeeze(-1)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average over windows, see `torch.nn.functional.avg_pool2d`."""
    if divisor_override is None or ceil_mode:
        return F.avg_pool2d(
            input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return F.avg_pool2d(input, kernel_size, stride, padding) * (height * width / divisor_override)
