"""Activations.

gelu         x / 2 * (1 + erf(x * sqrt(1/2))), written in the form that TensorFlow's converter
             makes TFLite's GELU of; torch's exporter divides by sqrt(2), and leaves an Erf,
             which TFLite has not
threshold    where(x > threshold, x, value)
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """Compute GELU, see `torch.nn.functional.gelu`. The approximation by tanh is left as it is."""
    if approximate != "none":
        return F.gelu(input, approximate=approximate)
    return input * 0.5 * (torch.erf(input * math.sqrt(0.5)) + 1.0)


def threshold(input: Tensor, threshold: float, value: float, **_: bool) -> Tensor:
    """Replace what is not above a threshold, see `torch.nn.functional.threshold`."""
    return torch.where(input > threshold, input, input.new_full((1,) * input.dim(), value))
