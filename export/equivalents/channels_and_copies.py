"""Selections and copies.

channel_shuffle    channel i of the result is channel (i mod g) * C/g + i div g of the input
flip               the values of each axis in reverse order
repeat             copies of the tensor concatenated along each axis
tril, triu         where(mask, x, 0) with a constant mask
"""

from typing import Any

import torch
from torch import Tensor

from seaformer.export.equivalents.static_shapes import integers, static_shape


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave the channels of groups, see `torch.nn.functional.channel_shuffle`."""
    channels = static_shape(input)[1]
    return input.index_select(1, torch.arange(channels).reshape(groups, -1).T.flatten())


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Reverse axes, see `torch.flip`."""
    shape = static_shape(input)
    for axis in _listed(dims):
        input = input.index_select(axis, torch.arange(shape[axis] - 1, -1, -1))
    return input


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """Repeat a tensor along its axes, see `torch.Tensor.repeat`."""
    counts = integers(_listed(repeats))
    for _ in range(len(counts) - input.dim()):
        input = input.unsqueeze(0)
    for axis, count in enumerate(counts):
        input = torch.cat([input] * count, axis) if count > 1 else input
    return input


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Keep the lower triangle, see `torch.tril`."""
    return input * _ones(input).tril(diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Keep the upper triangle, see `torch.triu`."""
    return input * _ones(input).triu(diagonal)


def _ones(x: Tensor) -> Tensor:
    shape = static_shape(x)
    return torch.ones((*[1] * (len(shape) - 2), *shape[-2:]), dtype=x.dtype)


def _listed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a method that accepts either a list or its elements."""
    is_list = len(values) == 1 and isinstance(values[0], tuple | list)
    return tuple(values[0]) if is_list else values
