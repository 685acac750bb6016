"""Sums along an axis of a map.

cumsum                 product with a lower triangular matrix of ones
local_response_norm    x / (k + alpha s / n)^beta, where s is the sum of squares of n channels:
                       the product of the squares with a band matrix of ones
"""

import torch
from torch import Tensor

from seaformer.export.equivalents.axis_product import CHANNELS, axis_product
from seaformer.export.equivalents.static_shapes import static_shape

LONGEST = 1024
"""Maximum length of an axis: the matrix is a constant in the file, 4 MB at this length."""


def cumsum(input: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """Add up along an axis, see `torch.cumsum`. Other ranks and integers are not replaced."""
    shape = static_shape(input)
    axis = dim % len(shape)
    if len(shape) != 4 or axis == 0 or shape[axis] > LONGEST or not input.is_floating_point():
        return torch.cumsum(input, dim, dtype=dtype)
    return axis_product(
        input, torch.ones(shape[axis], shape[axis], dtype=torch.float64).tril(), axis
    )


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Normalize by neighboring channels, see `torch.nn.functional.local_response_norm`."""
    channels = static_shape(input)[1]
    band = torch.ones(channels, channels, dtype=torch.float64)
    band = band.tril((size - 1) // 2).triu(-(size // 2))
    squares = axis_product(input.square(), band, CHANNELS)
    return input / (squares * (alpha / size) + k).pow(beta)
