"""Functions of the modules that need torch, imported only when they are called."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazily(path: str, *first: object) -> Callable[..., Any]:
    """Return a function of `seaformer.models` whose module is imported only when it is called.

    `path` is relative, for example "segformer.SegFormer"; `first` are its first arguments.
    """
    module, _, name = path.rpartition(".")

    def call(*others: object) -> Any:
        return getattr(import_module(f"seaformer.models.{module}"), name)(*first, *others)

    return call
