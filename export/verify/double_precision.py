"""Running a network in float64 that asks for float32 by name.

A reference in float64 has no float32 in it. `x.float()`, `x.to(torch.float32)`, `torch.zeros(n)` in
a forward pass, or a constant that is no buffer, would bring it back, and with it either float32's
rounding or an error of two types that do not go together. Everything that is float32 for the
network is float64 here; half precision stays what it is.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

_METHODS = {torch.Tensor.float: torch.Tensor.double}


class InFloat64(TorchFunctionMode):
    """While it is entered, what asks for float32 gets float64."""

    def __enter__(self) -> "InFloat64":
        self._default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        torch.set_default_dtype(self._default)

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if _only_looks(func):
            return func(*args, **(kwargs or {}))
        args, kwargs = tree_map(_widened, (args, dict(kwargs or {})))
        return _METHODS.get(func, func)(*args, **kwargs)


def _only_looks(func: Any) -> bool:
    """Whether a function is the reading or writing of an attribute, such as `.data` or `.grad`."""
    return getattr(func, "__name__", "") in ("__get__", "__set__")


def _widened(value: Any) -> Any:
    if value is torch.float32:
        return torch.float64
    if type(value) is torch.Tensor and value.dtype == torch.float32:
        return value.double()
    return value
