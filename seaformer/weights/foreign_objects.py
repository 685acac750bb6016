"""A `pickle_module` for `torch.load` that reads tensors and replaces all other objects.

Trainers store configuration, logs and schedulers next to the weights, as objects of classes that
may not be installed here. No name in the file is imported: the few functions that build tensors are
in a table, and every other name becomes a subclass of `StandIn`, which keeps plain data and has no
behavior. Names that run programs are refused nevertheless: such a file is an attack, and its
weights cannot be trusted.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, BinaryIO

import torch
from torch import Tensor


class StandIn(dict[Any, Any]):
    """Replaces an object of any class, and keeps its mapping, if it has one.

    `origin` is the name of the original class in the file.
    """

    origin = ""
    dump_patches = False
    """Attribute that torch reads from module classes in files of versions before 1.6."""

    def __init__(self, *args: object) -> None:
        super().__init__()
        self.__setstate__(args[-1] if args else None)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.update(state)

    def __call__(self, *_: object) -> "StandIn":
        """Replace a function too; its result is another stand-in."""
        return self

    def append(self, _: object) -> None:
        """Drop an element of a list, queue or set."""

    extend = add = append

    # A path or an enum member may be the key of a dictionary.
    __hash__ = object.__hash__  # type: ignore[assignment]


class _Constructor:
    """Wraps a function that builds a tensor in an object that the file cannot modify."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> object:
        return self._function(*args)

    def __setstate__(self, state: object) -> None: ...


class _Bytes:
    """Storage type for tensors of rarer types, which torch reads as bytes."""

    __slots__ = ()
    dtype = torch.uint8

    def __setstate__(self, state: object) -> None: ...


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    hooks: OrderedDict[Hashable, object] = OrderedDict()
    tensor: Tensor = torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, hooks)
    return tensor


_CONSTRUCTORS: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "torch.storage.UntypedStorage": _Bytes(),
    "torch._utils._rebuild_tensor": _Constructor(_tensor),
    "torch._utils._rebuild_tensor_v2": _Constructor(_tensor),
    # Gradients, hooks and attributes are dropped.
    "torch._utils._rebuild_parameter": _Constructor(lambda data, *_: data),
    "torch._utils._rebuild_parameter_with_state": _Constructor(lambda data, *_: data),
    "torch._tensor._rebuild_from_type_v2": _Constructor(lambda make, _, args, __: make(*args)),
}

_PROGRAMS = (
    "builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__", "builtins.open",
    "importlib.", "nt.", "os.", "posix.", "pty.", "runpy.", "shutil.", "socket.", "subprocess.",
    "sys.", "webbrowser.",
)  # fmt: skip
"""Names that only an attack refers to. Even without this list, none of them would run."""


class Unpickler(pickle.Unpickler):
    """Unpickler that imports no name from the file."""

    def __init__(self, file: BinaryIO, **options: Any) -> None:
        super().__init__(file, **options)
        self._stand_ins: dict[str, type[StandIn]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement of a name, never the named object itself."""
        path = f"{module.replace('__builtin__', 'builtins')}.{name}"  # __builtin__: Python 2
        if path.startswith(_PROGRAMS):
            raise pickle.UnpicklingError(f"GLOBAL {path} was not an allowed global")
        if path not in _CONSTRUCTORS and path not in self._stand_ins:
            self._stand_ins[path] = type("StandIn", (StandIn,), {"origin": path})
        return _CONSTRUCTORS.get(path) or self._stand_ins[path]


def load(file: BinaryIO, **options: Any) -> Any:
    """Read one of several pickles in a file."""
    return Unpickler(file, **options).load()
