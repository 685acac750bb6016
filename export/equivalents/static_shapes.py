"""Shapes as Python integers, also while a network is traced."""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor


def static_shape(x: Tensor) -> tuple[int, ...]:
    """The shape of a tensor. The tracer has it as tensors, and an exported file has one shape."""
    return integers(x.shape)


def integers(values: Iterable[object]) -> tuple[int, ...]:
    """Lengths as integers that may be tensors of the tracer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return tuple(int(value) for value in values)  # type: ignore[call-overload]
