"""Extracting operators of a .tflite flatbuffer as a separate model.

Constants stay constants, and the operators that compute constants from constants, such as the
DEQUANTIZE of a stored weight, are kept too. Every other tensor that is needed but not computed
becomes an input. A tensor that is both computed and fed exists twice: operators read the fed copy,
so that the error of one operator does not reach the next.
"""

import copy
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.extraction.graph_description import GraphDescription, GraphOperator, GraphTensor
from seaformer.runtimes.tflite_flatbuffer import operator_types, pack, parse

_DTYPES = {
    number: name.lower()
    for name, number in vars(schema.TensorType).items()
    if isinstance(number, int)
}


class TFLiteExtraction:
    """Creates models of the operators of one file.

    Attributes:
        description: description of the file.
    """

    def __init__(self, path: Path) -> None:
        self._parsed = parse(path.read_bytes())
        self.description = describe(self._parsed)

    def extract(
        self,
        operators: Sequence[int],
        fed: Collection[int],
        wanted: Collection[int],
        gives_constants: bool = False,
    ) -> tuple[bytes, list[int], list[int], list[int]]:
        """Create a model of selected operators; see the function `extract`."""
        return extract(self._parsed, self.description, operators, fed, wanted, gives_constants)


def describe(parsed: schema.ModelT) -> GraphDescription:
    """Describe the main subgraph of a parsed file."""
    graph = parsed.subgraphs[0]
    tensors = tuple(_tensor(index, one) for index, one in enumerate(graph.tensors))
    operators = tuple(
        GraphOperator(
            index,
            type,
            tuple(int(tensor) for tensor in operator.inputs if tensor >= 0),
            tuple(int(tensor) for tensor in operator.outputs),
            _kind(parsed, type, operator),
        )
        for index, (type, operator) in enumerate(
            zip(operator_types(parsed), graph.operators, strict=True)
        )
    )
    return GraphDescription(
        tensors,
        operators,
        tuple(map(int, graph.inputs)),
        tuple(map(int, graph.outputs)),
        any(tensor.isVariable for tensor in graph.tensors),
    )


def extract(
    parsed: schema.ModelT,
    description: GraphDescription,
    operators: Sequence[int],
    fed: Collection[int],
    wanted: Collection[int],
    gives_constants: bool = False,
) -> tuple[bytes, list[int], list[int], list[int]]:
    """Create a model of selected operators.

    Args:
        parsed: the file, which is not modified.
        description: description of the file.
        operators: indices of the selected operators, which depend on an input.
        fed: tensors that are inputs of the model even if one of the operators computes them.
        wanted: tensors that the model returns; if empty, all that are needed outside the model.
        gives_constants: whether stored floating-point constants become inputs as well.

    Returns:
        The flatbuffer, the tensors of the file that its inputs and outputs correspond to, and the
        indices of its outputs in the model.
    """
    chosen = [description.operators[index] for index in operators]
    kept = sorted((*_computing_constants(description, chosen), *chosen), key=lambda one: one.index)
    builder = _Builder(parsed)
    computed: dict[int, int] = {}
    given: dict[int, int] = {}
    constants: dict[int, int] = {}
    for one in kept:
        original = parsed.subgraphs[0].operators[one.index]
        operator = copy.copy(original)
        operator.inputs = []
        for tensor in map(int, original.inputs):
            if tensor < 0:
                operator.inputs.append(-1)
            elif tensor in computed and tensor not in fed:
                operator.inputs.append(computed[tensor])
            elif tensor in description.constants and not (
                gives_constants and description.tensors[tensor].dtype == "float32"
            ):
                if tensor not in constants:
                    constants[tensor] = builder.constant(tensor)
                operator.inputs.append(constants[tensor])
            else:
                if tensor not in given:
                    given[tensor] = builder.empty(tensor, f"given_{len(given)}:")
                operator.inputs.append(given[tensor])
        for tensor in one.outputs:
            computed[tensor] = builder.empty(tensor, "")
        operator.outputs = [computed[tensor] for tensor in one.outputs]
        if original.intermediates is not None:
            operator.intermediates = [builder.empty(int(t), "") for t in original.intermediates]
        builder.graph.operators.append(operator)
    returned = [
        tensor
        for one in chosen
        for tensor in one.outputs
        if (tensor in wanted if wanted else description.is_needed_outside(tensor, kept, fed))
    ]
    builder.graph.inputs = list(given.values())
    builder.graph.outputs = [computed[tensor] for tensor in returned]
    return pack(builder.model), list(given), returned, builder.graph.outputs


def _computing_constants(
    description: GraphDescription, chosen: Sequence[GraphOperator]
) -> list[GraphOperator]:
    """Return the operators that compute the constants of the chosen operators."""
    found: dict[int, GraphOperator] = {}
    waiting = list(chosen)
    while waiting:
        for tensor in waiting.pop().inputs:
            before = description.producers.get(tensor)
            if before and tensor in description.constants and before.index not in found:
                found[before.index] = before
                waiting.append(before)
    return list(found.values())


class _Builder:
    """A model under construction, with the operator codes and other subgraphs of the file."""

    def __init__(self, parsed: schema.ModelT) -> None:
        self._parsed = parsed
        self.graph = schema.SubGraphT()
        self.graph.name = b"main"
        self.graph.tensors, self.graph.operators = [], []
        self.model = schema.ModelT()
        self.model.version = parsed.version
        self.model.operatorCodes = parsed.operatorCodes
        self.model.buffers = [schema.BufferT()]  # buffer 0 is for tensors without values
        self.model.subgraphs = [self.graph, *map(self._other, parsed.subgraphs[1:])]

    def constant(self, tensor: int) -> int:
        """Add a tensor with its values; return its index."""
        return self._add(self._copy(self._parsed.subgraphs[0].tensors[tensor]))

    def empty(self, tensor: int, prefix: str) -> int:
        """Add a tensor that is given or computed; return its index."""
        copied = copy.copy(self._parsed.subgraphs[0].tensors[tensor])
        copied.name = prefix.encode() + (copied.name or b"")
        copied.buffer = 0
        return self._add(copied)

    def _add(self, tensor: schema.TensorT) -> int:
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _copy(self, tensor: schema.TensorT) -> schema.TensorT:
        """Copy a tensor with its values into this model."""
        copied = copy.copy(tensor)
        self.model.buffers.append(self._parsed.buffers[tensor.buffer])
        copied.buffer = len(self.model.buffers) - 1
        return copied

    def _other(self, graph: schema.SubGraphT) -> schema.SubGraphT:
        """Copy a subgraph that an operator such as WHILE may call."""
        copied = copy.copy(graph)
        copied.tensors = list(map(self._copy, graph.tensors))
        return copied


def _tensor(index: int, tensor: schema.TensorT) -> GraphTensor:
    stored = tensor.quantization
    scales = [] if stored is None or stored.scale is None else list(stored.scale)
    is_scaled = len(scales) == 1 and scales[0] > 0
    return GraphTensor(
        index,
        (tensor.name or b"").decode("utf-8", "replace"),
        () if tensor.shape is None else tuple(map(int, tensor.shape)),
        _DTYPES.get(tensor.type, f"type {tensor.type}"),
        float(scales[0]) if is_scaled else 0.0,
        int(stored.zeroPoint[0]) if is_scaled and stored.zeroPoint is not None else 0,
    )


def _kind(parsed: schema.ModelT, type: str, operator: schema.OperatorT) -> str:
    graph = parsed.subgraphs[0]
    hashed: list[Any] = [type, *_members(operator.builtinOptions)]
    hashed += _members(operator.builtinOptions2)
    if operator.customOptions is not None:
        hashed.append(bytes(bytearray(operator.customOptions)))
    for place in (*operator.inputs, *operator.outputs):
        if place < 0:
            hashed.append(None)
            continue
        tensor = graph.tensors[place]
        data = parsed.buffers[tensor.buffer].data
        is_stored = data is not None and len(data) > 0
        hashed += [tensor.type, () if tensor.shape is None else tuple(map(int, tensor.shape))]
        hashed.append(is_stored)
        if is_stored and tensor.type in (schema.TensorType.INT32, schema.TensorType.INT64):
            hashed.append(np.asarray(data, np.uint8).tobytes())
    return hashlib.sha256(repr(hashed).encode()).hexdigest()


def _members(options: object) -> list[tuple[str, str]]:
    return [] if options is None else sorted((k, repr(v)) for k, v in vars(options).items())
