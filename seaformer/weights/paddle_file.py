"""Reading `.pdparams`, the weights of PaddlePaddle: a pickle of names and NumPy arrays.

`paddle.save(model.state_dict(), path)` writes a dictionary: name -> array, and under
`NAMES` a table of Paddle's internal names. Loading a pickle can run any program, so the four names
that arrays need become the classes of this module, and every other name is refused. NumPy's own
functions are not called either: a file of a hundred bytes could make them allocate any amount.
"""

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from seaformer.errors import SeaformerError, quoted
from seaformer.weights.unpickling import in_bounded_memory

SUFFIX = ".pdparams"

NAMES = "StructuredToParameterName@@"
"""Key of Paddle's internal names, which are not weights."""

_REFUSED = "a name outside NumPy arrays"


class _Type:
    """Replaces `numpy.dtype`: the type of an array's values, if torch supports it."""

    __slots__ = ("code", "order")

    ALLOWED = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")

    def __init__(self, code: object, *_: object) -> None:
        if code not in self.ALLOWED:
            raise ValueError(f"the type of an array is {quoted(code)}")
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"the byte order of an array is {quoted(state[1])}")
        self.order = state[1]


class _Array:
    """Replaces an array, and becomes a tensor as soon as its content is read."""

    __slots__ = ("tensor",)

    def __init__(self, *_: object) -> None:
        self.tensor: Tensor | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, is_transposed, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise ValueError("an array contains objects rather than numbers")
        values = np.frombuffer(data, np.dtype(f"{kind.order}{kind.code}"))
        array = values.reshape(shape, order="F" if is_transposed else "C")
        self.tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))


_ALLOWED: dict[str, type] = {
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,  # since NumPy 2
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        """Return the replacement of a name, never the named object itself."""
        path = f"{module}.{name}"
        if path not in _ALLOWED:
            raise pickle.UnpicklingError(_REFUSED, path)
        return _ALLOWED[path]


def load(file: BinaryIO, path: Path) -> dict[Any, Any]:
    """Read a `.pdparams` file without running any code in it.

    Args:
        file: the file, at its beginning.
        path: path for messages.

    Returns:
        What the file contains under each name: tensors, and any other plain data.

    Raises:
        SeaformerError: the file is damaged, contains more than arrays, or takes far more memory
            than its size.
    """
    try:
        with in_bounded_memory(file, path):
            content = _Unpickler(file).load()
    except SeaformerError:
        raise
    # A damaged or hostile pickle can raise any exception.
    except Exception as error:
        if error.args[:1] == (_REFUSED,):
            raise SeaformerError(
                f"'{path}' refers to {quoted(error.args[1])}, but a {SUFFIX} file contains only "
                "NumPy arrays. Nothing was run. Get the file again from where it was published."
            ) from error
        raise SeaformerError(
            f"'{path}' is damaged, incomplete or not a file of paddle.save "
            f"({type(error).__name__}: {quoted(str(error))}). Download or copy it again."
        ) from error
    if not isinstance(content, dict):
        raise SeaformerError(
            f"'{path}' contains a {type(content).__name__} rather than a dictionary of weights. "
            "Save model.state_dict()."
        )
    return {name: _plain(value) for name, value in content.items() if name != NAMES}


def _plain(value: object) -> object:
    """Return the tensor of an array, or of Paddle's pair of an internal name and an array."""
    if isinstance(value, tuple) and len(value) == 2:
        value = value[1]
    return value.tensor if isinstance(value, _Array) else value
