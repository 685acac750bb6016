"""Reading and completing a .tflite file: its operators and its names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.artifact.metadata import Scale
from seaformer.export.convert.half_precision import MIN_ELEMENTS, to_half
from seaformer.export.convert.standard_metadata import StandardMetadata
from seaformer.runtimes.tflite_flatbuffer import operator_types, pack, parse

_METADATA_NAME = b"TFLITE_METADATA"
_TYPE_NAMES = {
    number: name.lower()
    for name, number in vars(schema.TensorType).items()
    if isinstance(number, int)
}

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
"""Operators that only convert between number formats."""


@dataclass(frozen=True)
class Operator:
    """One operator of the main subgraph; `index` is its position in execution order.

    `type` is the builtin operator's name, such as "CONV_2D". Inputs and outputs are tensor indices;
    absent optional inputs are omitted.
    """

    index: int
    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def operators(model: bytes) -> list[Operator]:
    """List the operators of a .tflite file's main subgraph in execution order."""
    parsed = parse(model)
    return [
        Operator(
            index,
            type,
            tuple(int(tensor) for tensor in operator.inputs if tensor >= 0),
            tuple(int(tensor) for tensor in operator.outputs),
        )
        for index, (type, operator) in enumerate(
            zip(operator_types(parsed), parsed.subgraphs[0].operators, strict=True)
        )
    ]


def finish(model: bytes, metadata: StandardMetadata) -> bytes:
    """Name the input and output, also in the signature, and add the standard metadata table.

    `seaformer.artifact.embedding` appends the files listed in the table.
    """
    parsed = parse(model)
    _decide_in_int32(parsed)
    graph = parsed.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = metadata.input_name.encode()
    graph.tensors[graph.outputs[0]].name = metadata.output_name.encode()
    parsed.description = metadata.description.encode()
    entry = schema.MetadataT(_METADATA_NAME, len(parsed.buffers))
    parsed.buffers.append(schema.BufferT(metadata.table()))
    parsed.metadata = [*(parsed.metadata or []), entry]
    return pack(parsed)


def _decide_in_int32(parsed: schema.ModelT) -> None:
    """Make a final ARG_MAX output int32 directly, instead of int64 with a cast.

    Accelerators refuse operators with int64 tensors.
    """
    graph = parsed.subgraphs[0]
    types, last = operator_types(parsed), len(graph.operators) - 1
    if types[-2:] != ["ARG_MAX", "CAST"] or graph.operators[last].outputs[0] != graph.outputs[0]:
        return
    decision, cast = graph.operators[-2:]
    if cast.inputs[0] != decision.outputs[0]:
        return
    if graph.tensors[graph.outputs[0]].type == schema.TensorType.INT32:
        decision.builtinOptions.outputType = schema.TensorType.INT32
        decision.outputs = cast.outputs
        del graph.operators[last]


def with_module_names(model: bytes, modules: Sequence[str]) -> bytes:
    """Name the outputs of each operator after its module, such as `stem.conv@2`.

    The names serve readers and quantizers. The graph's outputs keep the names set by `finish`.
    """
    parsed = parse(model)
    graph = parsed.subgraphs[0]
    outputs = set(graph.outputs)
    for index, (operator, module) in enumerate(zip(graph.operators, modules, strict=True)):
        for place, tensor in enumerate(operator.outputs):
            if tensor not in outputs:
                part = f".{place}" if place else ""
                graph.tensors[tensor].name = f"{module}@{index}{part}".encode()
    return pack(parsed)


def operator_scopes(model: bytes) -> list[str]:
    """The output names of each operator, each followed by a semicolon."""
    parsed = parse(model)
    graph = parsed.subgraphs[0]
    return [
        "".join(f"{graph.tensors[tensor].name.decode()};" for tensor in operator.outputs)
        for operator in graph.operators
    ]


def activation_names(model: bytes) -> dict[int, str]:
    """Index and name of every float32 tensor that is an input or is computed."""
    parsed = parse(model)
    graph = parsed.subgraphs[0]
    computed = {int(tensor) for operator in graph.operators for tensor in operator.outputs}
    return {
        index: graph.tensors[index].name.decode()
        for index in sorted(computed | {int(tensor) for tensor in graph.inputs})
        if graph.tensors[index].type == schema.TensorType.FLOAT32
    }


def operators_giving(model: bytes, dtype: str) -> list[int]:
    """Indices of the operators, except conversions, whose first output has the type `dtype`."""
    parsed = parse(model)
    tensors = parsed.subgraphs[0].tensors
    return [
        operator.index
        for operator in operators(model)
        if operator.type not in CONVERSIONS
        and _TYPE_NAMES[tensors[operator.outputs[0]].type] == dtype
    ]


def ports(model: bytes) -> list[tuple[str, Scale | None]]:
    """Type of the input and of the output, with scale and zero point if quantized."""
    graph = parse(model).subgraphs[0]
    found: list[tuple[str, Scale | None]] = []
    for tensor in (graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]):
        stored, scale = tensor.quantization, None
        if stored is not None and stored.scale is not None and len(stored.scale) > 0:
            scale = Scale(scale=float(stored.scale[0]), zero_point=int(stored.zeroPoint[0]))
        found.append((_TYPE_NAMES[tensor.type], scale))
    return found


def with_half_weights(model: bytes) -> bytes:
    """Store the weights in half precision, see `half_precision`.

    Each gets a DEQUANTIZE at the beginning of the graph, as written by TensorFlow's converter, so
    that delegates recognize the weight.

    Raises:
        SeaformerError: a weight is too large for half precision.
    """
    parsed = parse(model)
    graph = parsed.subgraphs[0]
    code = schema.BuiltinOperator.DEQUANTIZE
    # Version 3 is the first that supports float16.
    parsed.operatorCodes.append(schema.OperatorCodeT(code, version=3, builtinCode=code))
    dequantizations = []
    subtracted = {i for one in operators(model) if one.type == "SUB" for i in one.inputs}
    for index in range(len(graph.tensors)):
        tensor = graph.tensors[index]
        data = parsed.buffers[tensor.buffer].data
        if tensor.type != schema.TensorType.FLOAT32 or data is None or index in subtracted:
            continue
        values = np.frombuffer(bytes(data), np.float32)
        if values.size < MIN_ELEMENTS:
            continue
        half = to_half(values, tensor.name.decode()).view(np.uint8)
        dequantizations.append(
            schema.OperatorT(len(parsed.operatorCodes) - 1, [len(graph.tensors)], [index])
        )
        graph.tensors.append(
            schema.TensorT(
                tensor.shape, schema.TensorType.FLOAT16, len(parsed.buffers), tensor.name + b".half"
            )
        )
        parsed.buffers.append(schema.BufferT(half))
        tensor.buffer = 0  # the empty buffer of computed tensors
    graph.operators = dequantizations + graph.operators
    _drop_unused_buffers(parsed)
    return pack(parsed)


def _drop_unused_buffers(parsed: schema.ModelT) -> None:
    """Empty unreferenced buffers; the numbering of the buffers does not change."""
    used = {tensor.buffer for graph in parsed.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in parsed.metadata or []}
    for index, buffer in enumerate(parsed.buffers):
        if index not in used:
            buffer.data = None
