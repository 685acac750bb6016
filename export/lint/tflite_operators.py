"""The representation of a .tflite file's operators for the lint rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.errors import SeaformerError
from seaformer.runtimes.session import reason
from seaformer.runtimes.tflite_flatbuffer import parse

MAX_VALUES = 64
"""Maximum size of a constant that a rule may read: axes, shapes and paddings are smaller."""

_TYPES = {number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()}
_DTYPES = {
    number: name.lower() for name, number in vars(schema.TensorType).items() if name.isupper()
}


@dataclass(frozen=True)
class Tensor:
    """A tensor of an operator.

    Attributes:
        number: index of the tensor in the file.
        shape: as in the file; -1 for a dimension that is only known at run time.
        dtype: such as "float32".
        is_constant: whether its values are in the file, possibly followed by a DEQUANTIZE.
        is_quantized: whether it has a scale.
        values: values of a small integer constant, such as axes; None for other tensors.
    """

    number: int
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool
    is_quantized: bool
    values: tuple[int, ...] | None

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class Operator:
    """An operator of the main subgraph.

    Attributes:
        index: position in execution order.
        type: name of the builtin operator, such as "CONV_2D"; "CUSTOM" for a custom operator.
        custom: name of a custom operator or of a composite; else "".
        inputs: in order; None for an absent input.
        outputs: in order.
        options: by their names in the schema, such as "adjX".
    """

    index: int
    type: str
    custom: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]

    @property
    def given(self) -> tuple[Tensor, ...]:
        """The inputs without absent ones."""
        return tuple(tensor for tensor in self.inputs if tensor is not None)

    @property
    def runtime_inputs(self) -> tuple[Tensor, ...]:
        """The inputs that are not constants."""
        return tuple(tensor for tensor in self.given if not tensor.is_constant)

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The inputs that are constants."""
        return tuple(tensor for tensor in self.given if tensor.is_constant)


def read_operators(model: bytes, name: str) -> tuple[Operator, ...]:
    """Read the operators of the main subgraph in execution order.

    Args:
        model: content of a .tflite file.
        name: name of the file, for errors.

    Raises:
        SeaformerError: it is not a .tflite file, or is damaged.
    """
    try:
        if model[4:8] != b"TFL3":
            raise ValueError("it lacks the identifier of a .tflite file")
        return _operators(parse(model))
    except Exception as error:  # the generated readers raise various errors on damaged bytes
        raise SeaformerError(
            f"'{name}' is damaged or is not a .tflite file ({reason(error)}). Export it again."
        ) from error


def _operators(parsed: schema.ModelT) -> tuple[Operator, ...]:
    graph = parsed.subgraphs[0]
    tensors = [_tensor(n, stored, parsed) for n, stored in enumerate(graph.tensors or ())]
    found = []
    for index, operator in enumerate(graph.operators or ()):
        code = parsed.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        options = vars(operator.builtinOptions) if operator.builtinOptions else {}
        composite = operator.builtinOptions2 if operator.builtinOptions2 else None
        inputs = tuple(None if n == -1 else tensors[_index(n)] for n in _indices(operator.inputs))
        found.append(
            Operator(
                index=index,
                type=_TYPES.get(number, f"BUILTIN_{number}"),  # from a newer schema
                custom=_text(code.customCode) or _text(getattr(composite, "name", None)),
                inputs=inputs,
                outputs=tuple(tensors[_index(n)] for n in _indices(operator.outputs)),
                options=MappingProxyType(options),
            )
        )
        if found[-1].type == "DEQUANTIZE" and not found[-1].runtime_inputs:
            # Half-precision weights are stored this way: its output counts as the constant.
            for number in _indices(operator.outputs):
                tensors[number] = replace(tensors[number], is_constant=True)
    return tuple(found)


def _tensor(number: int, stored: schema.TensorT, parsed: schema.ModelT) -> Tensor:
    shape = tuple(_indices(stored.shape))
    data = parsed.buffers[stored.buffer].data
    dtype = _DTYPES.get(stored.type, f"type {stored.type}")
    values = None
    if data is not None and dtype in ("int32", "int64") and prod(shape) <= MAX_VALUES:
        values = tuple(np.frombuffer(bytes(data), dtype).tolist())
    return Tensor(
        number=number,
        shape=shape,
        dtype=dtype,
        is_constant=data is not None,
        is_quantized=stored.quantization is not None and bool(_indices(stored.quantization.scale)),
        values=values,
    )


def _indices(stored: Any) -> list[Any]:
    """Return a vector of a flatbuffer as a list; empty if absent."""
    return [] if stored is None else [value.item() for value in np.asarray(stored)]


def _index(number: int) -> int:
    """Refuse a negative index, which would count from the end."""
    if number < 0:
        raise ValueError(f"tensor {number}")
    return number


def _text(stored: Any) -> str:
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else ""
