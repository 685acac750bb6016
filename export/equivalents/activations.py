"""Activations.

gelu         x / 2 * (1 + erf(x * sqrt(1/2))), in the form that TensorFlow's converter recognizes
             as TFLite's GELU; torch's exporter divides by sqrt(2), which leaves an Erf that TFLite
             does not have
hardsigmoid  relu6(x + 3) / 6, whose RELU6 is fused into the ADD; onnx2tf converts HardSigmoid to a
             RELU_0_TO_1, which LiteRT's GPU accelerator refuses
threshold    where(x > threshold, x, value)
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """Compute GELU, see `torch.nn.functional.gelu`. The tanh approximation is not replaced."""
    if approximate != "none":
        return F.gelu(input, approximate=approximate)
    return input * 0.5 * (torch.erf(input * math.sqrt(0.5)) + 1.0)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:  # noqa: ARG001
    """Compute the hard sigmoid, see `torch.nn.functional.hardsigmoid`."""
    return F.relu6(input + 3.0) * (1 / 6)


def threshold(input: Tensor, threshold: float, value: float, **_: bool) -> Tensor:
    """Replace values up to a threshold, see `torch.nn.functional.threshold`."""
    return torch.where(input > threshold, input, input.new_full((1,) * input.dim(), value))
