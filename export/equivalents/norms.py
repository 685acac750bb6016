"""Normalization over a map or a group of channels.

    c = x - mean(x),  c' = c - mean(c),  y = c' / sqrt(mean(c'^2) + eps)

In exact arithmetic mean(c) is zero. In float32 it is the error of the first mean, which on a map of
thousands of equal values far exceeds their deviation: without the second subtraction, the SQNR on a
black image is 92 dB instead of 120 dB. Runtimes sum up the tens of thousands of values of a whole
group one by one, which gives only 101 dB; taking the mean along one axis after the other gives
125 dB. A LayerNorm over the last axis, which has few values, is not replaced.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from seaformer.export.equivalents.static_shapes import static_shape


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """Normalize over the last axes, see `torch.nn.functional.layer_norm`."""
    if len(normalized_shape) == 1:
        return F.layer_norm(input, tuple(normalized_shape), weight, bias, eps)
    axes = range(input.dim() - len(normalized_shape), input.dim())
    normalized = _normalized(input, axes, eps)
    # The first axes are explicit; without them, a converter could mistake the channels of a vector,
    # [C, 1, 1], for rows.
    shape = (*[1] * axes.start, *normalized_shape)
    weight, bias = (None if one is None else one.reshape(shape) for one in (weight, bias))
    return _affine(normalized, weight, bias)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """Normalize groups of channels, see `torch.nn.functional.group_norm`."""
    shape = static_shape(input)
    if num_groups == 1:
        normalized = _normalized(input, range(1, input.dim()), eps)
    else:
        groups = input.reshape(shape[0], num_groups, -1)
        normalized = _normalized(groups, (2,), eps).reshape(shape)
    return _affine(normalized, *_per_channel(weight, bias, input.dim()))


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel, see `torch.nn.functional.instance_norm`."""
    if not use_input_stats:
        return F.instance_norm(
            input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
        )
    normalized = _normalized(input, range(2, input.dim()), eps)
    return _affine(normalized, *_per_channel(weight, bias, input.dim()))


def _normalized(x: Tensor, axes: Sequence[int], eps: float) -> Tensor:
    x = x - _mean(x, axes)
    x = x - _mean(x, axes)
    return x / (_mean(x.square(), axes) + eps).sqrt()


def _mean(x: Tensor, axes: Sequence[int]) -> Tensor:
    for axis in reversed(axes):
        if static_shape(x)[axis] > 1:
            x = x.mean(axis, keepdim=True)
    return x


def _per_channel(
    weight: Tensor | None, bias: Tensor | None, rank: int
) -> tuple[Tensor | None, Tensor | None]:
    shape = (1, -1, *[1] * (rank - 2))
    return (
        None if weight is None else weight.reshape(shape),
        None if bias is None else bias.reshape(shape),
    )


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias
