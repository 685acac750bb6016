"""Products of matrices with unequal numbers of batches, and attention with shared keys and values.

LiteRT's GPU accelerator multiplies wrong matrices if it has to repeat those of one factor (lint
rule `unequal-batches`). If every batch has the same matrix, the batches become rows of one product:

    y[a, b, i, :] = x[a, b, i, :] m[a]      [A, B, I, K] x [A, 1, K, J] as [A, 1, B I, K] x the same

The same matrix on the left is on the right in the transposed product: (m x)' = x' m'. In attention,
all heads can share keys and values (multi-query attention):

    softmax(scale q k') v                     two products, each with one matrix for all heads
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seaformer.export.equivalents.static_shapes import static_shape


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Multiply matrices, see `torch.matmul`."""
    left, right = static_shape(input), static_shape(other)
    if min(len(left), len(right)) < 2 or isinstance(other, nn.Parameter):
        return torch.matmul(input, other)
    rank = max(len(left), len(right))
    left, right = (torch.Size((1,) * (rank - len(one)) + one) for one in (left, right))
    if left[:-2] == right[:-2]:
        return torch.matmul(input, other)
    different = next(axis for axis in range(rank) if left[axis] != right[axis])
    if math.prod(right[different:-2]) == 1:
        rows = input.reshape(*static_shape(other)[:-2], -1, left[-1])
        return torch.matmul(rows, other).reshape(*left[:-1], right[-1])
    if math.prod(left[different:-2]) == 1 and not isinstance(input, nn.Parameter):
        return matmul(other.transpose(-1, -2), input.transpose(-1, -2)).transpose(-1, -2)
    return torch.matmul(input, other)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **options: Any,
) -> Tensor:
    """Compute attention, see `torch.nn.functional.scaled_dot_product_attention`."""
    has_equal_batches = len({static_shape(one)[:-2] for one in (query, key, value)}) == 1
    if has_equal_batches or attn_mask is not None or dropout_p or is_causal or options:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, **options
        )
    scale = static_shape(query)[-1] ** -0.5 if scale is None else scale
    scores = matmul(query * scale, key.transpose(-1, -2))
    return matmul(scores.softmax(-1), value)
