"""Shapes as Python integers, and constants that depend only on shapes, while a network is traced.

The tracer represents shapes as tensors and records all computations with them, although an exported
file has a single static shape.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Suspend the tracer: tensors created inside become constants of the graph."""
    tracer: Any = torch._C  # its stubs lack the setter
    state = tracer._get_tracing_state()
    tracer._set_tracing_state(None)
    try:
        yield
    finally:
        tracer._set_tracing_state(state)


def static_shape(x: Tensor) -> torch.Size:
    """The shape of a tensor as integers."""
    with untraced():
        return x.shape


def size(input: Tensor, dim: int | None = None) -> torch.Size | int:
    """The shape of a tensor, or the length of one of its axes, see `torch.Tensor.size`."""
    shape = static_shape(input)
    return shape if dim is None else shape[dim]


def integers(values: Iterable[object]) -> tuple[int, ...]:
    """Convert lengths, which may be tensors of the tracer, to integers."""
    with untraced():
        return tuple(int(value) for value in values)  # type: ignore[call-overload]
