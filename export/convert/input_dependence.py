"""Finding where a network converts input values to Python values, which a trace makes constant.

For `if x.mean() > 1.5`, the trace records the branch taken for the example input, and the exported
file takes it for every image. The tracer warns about this, but with the same words about harmless
checks of shapes. Therefore the network is also run eagerly, where shapes are plain integers: every
conversion to a Python value is then one of tensor values, and tracking the storages through which
the input flows shows whether they depend on it.
"""

import linecache
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_LEAVING_TORCH = {
    torch.Tensor.numpy,
    torch.Tensor.__array__,
    torch.Tensor.tolist,
    torch.tensor,  # a copy that the tracer stores as a constant
}
"""Python functions that read values bypassing the dispatcher."""

_LEAVING_TO_SCALARS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default}

_TORCH = Path(torch.__file__).parent
_PYTHON = Path(sysconfig.get_path("stdlib"))

EQUIVALENTS = Path(__file__).parents[1] / "equivalents"
"""The folder of the replacements for functions that a network calls."""


@torch.no_grad()
def find_values_made_constant(model: nn.Module, example: torch.Tensor) -> list[str]:
    """Return the places, "file:line: code", where input values become Python values.

    Args:
        model: in eval mode.
        example: an example input.
    """
    places: dict[str, None] = {}
    storages = _Storages()
    storages.add(example)

    def record() -> None:
        places[_place()] = None

    with _Functions(storages, record), _Operators(storages, record):
        model(example)
    return list(places)


def place_of(file: str, line: int) -> str:
    """A line of source code, "file:line: code"."""
    return f"{Path(file).name}:{line}: {linecache.getline(file, line).strip()}"


def is_of_library(file: str) -> bool:
    """Whether a source file belongs to torch or the standard library, not to a network."""
    path = Path(file)
    return path.is_relative_to(_TORCH) or (
        path.is_relative_to(_PYTHON) and "site-packages" not in path.parts
    )


class _Storages:
    """Storages that depend on the input. A weak reference prevents reuse of their addresses."""

    def __init__(self) -> None:
        self._held: dict[int, StorageWeakRef] = {}

    def add(self, tensor: torch.Tensor) -> None:
        reference = StorageWeakRef(tensor.untyped_storage())
        self._held[reference.cdata] = reference

    def hold(self, values: object) -> bool:
        """Whether any tensor in `values`, which may be nested, uses one of the storages."""
        return any(
            isinstance(leaf, torch.Tensor) and leaf.untyped_storage()._cdata in self._held
            for leaf in tree_leaves(values)
        )


class _Operators(TorchDispatchMode):
    """Tracks all operators, including in-place ones, and detects reads of scalars."""

    def __init__(self, storages: _Storages, record: Callable[[], None]) -> None:
        super().__init__()
        self._storages, self._record = storages, record

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        depends = self._storages.hold((args, kwargs))
        if depends and func in _LEAVING_TO_SCALARS:
            self._record()
        results = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if depends and not (name.startswith("new_") or name.endswith("_like")):  # shape only
            written = [
                value
                for value, argument in zip(args, func._schema.arguments, strict=False)
                if argument.alias_info is not None and argument.alias_info.is_write
            ]
            for leaf in tree_leaves((results, written, kwargs.get("out"))):
                if isinstance(leaf, torch.Tensor):
                    self._storages.add(leaf)
        return results


class _Functions(TorchFunctionMode):
    """Detects copies of tensors to NumPy, lists and constants."""

    def __init__(self, storages: _Storages, record: Callable[[], None]) -> None:
        super().__init__()
        self._storages, self._record = storages, record

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _LEAVING_TORCH and self._storages.hold(args):
            self._record()
        return func(*args, **(kwargs or {}))


def place_behind_equivalents(file: str, line: int) -> tuple[str, int]:
    """Replace a place within `EQUIVALENTS` by the place of its caller on the stack.

    Any other place is returned unchanged.
    """
    stack = traceback.extract_stack()
    own = [n for n, frame in enumerate(stack) if Path(frame.filename).is_relative_to(EQUIVALENTS)]
    if not own or not Path(file).is_relative_to(EQUIVALENTS):
        return file, line
    files = {stack[n].filename for n in own}
    caller = next(f for f in reversed(stack[: own[-1]]) if f.filename not in files)
    return caller.filename, caller.lineno or 0


def _place() -> str:
    """The innermost place on the stack that belongs to a network."""
    frames = [frame for frame in traceback.extract_stack() if frame.filename != __file__]
    of_network = [frame for frame in frames if not is_of_library(frame.filename)]
    frame = of_network[-1]
    return place_of(frame.filename, frame.lineno or 0)
