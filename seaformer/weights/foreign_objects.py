"""A `pickle_module` for `torch.load` that reads tensors and lets stand-ins take every other place.

Trainers store their configuration, logs and schedulers beside the weights, as objects of classes
that need not be installed here. No name in the file is imported: the few functions that make
tensors are a table, and every other name becomes a class of `StandIn`, which keeps plain data and
has no behavior. A name that is there to run a program is refused all the same: such a file is an
attack, and its weights are not to be trusted.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, BinaryIO

import torch
from torch import Tensor


class StandIn(dict[Any, Any]):
    """Stands for an object of any class, and keeps the mapping that it holds, if it holds one.

    `origin` is the name of the real class, as the file gives it.
    """

    origin = ""
    dump_patches = False
    """Read by torch of the classes of modules in files from before version 1.6."""

    def __init__(self, *args: object) -> None:
        super().__init__()
        self.__setstate__(args[-1] if args else None)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.update(state)

    def __call__(self, *_: object) -> "StandIn":
        """Take the place of a function too, whose result is as unknown as it is."""
        return self

    def append(self, _: object) -> None:
        """Drop an element of a list, a queue or a set."""

    extend = add = append

    # A path or an enumerator may be the key of a dictionary.
    __hash__ = object.__hash__  # type: ignore[assignment]


class _Constructor:
    """A function that makes a tensor, behind an object that the file cannot change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> object:
        return self._function(*args)

    def __setstate__(self, state: object) -> None: ...


class _Bytes:
    """The storage of tensors of rarer types, as which torch reads bytes."""

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
    # Gradients, hooks and attributes are nothing that weights need.
    "torch._utils._rebuild_parameter": _Constructor(lambda data, *_: data),
    "torch._utils._rebuild_parameter_with_state": _Constructor(lambda data, *_: data),
    "torch._tensor._rebuild_from_type_v2": _Constructor(lambda make, _, args, __: make(*args)),
}

_PROGRAMS = (
    "builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__", "builtins.open",
    "importlib.", "nt.", "os.", "posix.", "pty.", "runpy.", "shutil.", "socket.", "subprocess.",
    "sys.", "webbrowser.",
)  # fmt: skip
"""What only an attack asks for. Nothing would run without this list either."""


class Unpickler(pickle.Unpickler):
    """Reads one pickle."""

    def __init__(self, file: BinaryIO, **options: Any) -> None:
        super().__init__(file, **options)
        self._stand_ins: dict[str, type[StandIn]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what takes the place of a name: never what it is a name of."""
        path = f"{module.replace('__builtin__', 'builtins')}.{name}"  # as Python 2 calls it
        if path.startswith(_PROGRAMS):
            raise pickle.UnpicklingError(f"GLOBAL {path} was not an allowed global")
        if path not in _CONSTRUCTORS and path not in self._stand_ins:
            self._stand_ins[path] = type("StandIn", (StandIn,), {"origin": path})
        return _CONSTRUCTORS.get(path) or self._stand_ins[path]


def load(file: BinaryIO, **options: Any) -> Any:
    """Read one pickle of several in a file."""
    return Unpickler(file, **options).load()
