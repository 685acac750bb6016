"""Shapes as Python integers, and constants that depend on shapes alone, while a network is traced.

The tracer has shapes as tensors, and records what is computed from them. An exported file has one
shape.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Record nothing: tensors that are made meanwhile are constants of the graph."""
    tracer: Any = torch._C  # its stubs lack the setter
    state = tracer._get_tracing_state()
    tracer._set_tracing_state(None)
    try:
        yield
    finally:
        tracer._set_tracing_state(state)


def static_shape(x: Tensor) -> tuple[int, ...]:
    """The shape of a tensor."""
    with untraced():
        return tuple(x.shape)


def integers(values: Iterable[object]) -> tuple[int, ...]:
    """Lengths as integers that may be tensors of the tracer."""
    with untraced():
        return tuple(int(value) for value in values)  # type: ignore[call-overload]
