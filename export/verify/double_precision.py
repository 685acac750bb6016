"""Running a network in float64 even if its code requests float32.

A float64 reference must not contain float32. `x.float()`, `x.to(torch.float32)`, `torch.zeros(n)`
in a forward pass, or a constant that is not a buffer, would introduce it, and with it either the
rounding of float32 or an error about mismatched types. Here float32 is replaced by float64
everywhere; half precision is not changed.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

_METHODS = {torch.Tensor.float: torch.Tensor.double}


class InFloat64(TorchFunctionMode):
    """Context manager in which requests for float32 return float64."""

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
    """Whether a function reads or writes an attribute, such as `.data` or `.grad`."""
    return getattr(func, "__name__", "") in ("__get__", "__set__")


def _widened(value: Any) -> Any:
    if value is torch.float32:
        return torch.float64
    if type(value) is torch.Tensor and value.dtype == torch.float32:
        return value.double()
    return value
