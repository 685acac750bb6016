"""One-operator .tflite files, to test how accelerators compute an operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int64": schema.TensorType.INT64,
    "int32": schema.TensorType.INT32,
    "int16": schema.TensorType.INT16,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "bool": schema.TensorType.BOOL,
}


@dataclass(frozen=True)
class InputTensor:
    """An input tensor of the file."""

    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Case:
    """One operator: its type, inputs, options and output types.

    An input is a `InputTensor`, an array for a constant, or None for an omitted optional input.
    """

    type: str
    inputs: tuple["InputTensor | np.ndarray[Any, Any] | None", ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("float32",)
    scale: float | None = None


def input_tensor(*shape: int, dtype: str = "float32") -> InputTensor:
    return InputTensor(shape, dtype)


def constant(*shape: int, dtype: str = "float32") -> "np.ndarray[Any, Any]":
    """Return a constant with few distinct values in mixed order, so that constants share values."""
    size = int(np.prod(shape))
    return spread(np.random.default_rng(size).permutation(size), dtype).reshape(shape)


def spread(numbers: "np.ndarray[Any, Any]", dtype: str) -> "np.ndarray[Any, Any]":
    """Map whole numbers to values of a type: 0.25 to 2, 1 to 8, or true and false."""
    values = numbers % 8 + 1
    if dtype == "bool":
        return values > 4
    return (values / 4 if "float" in dtype else values).astype(dtype)


def _options_name(type: str) -> str:
    """ "MUL" -> "MulOptions"; most option names are derived from the operator's name."""
    irregular = {
        "MEAN": "Reducer", "SUM": "Reducer", "REDUCE_MAX": "Reducer", "REDUCE_MIN": "Reducer",
        "REDUCE_PROD": "Reducer", "REDUCE_ANY": "Reducer", "REDUCE_ALL": "Reducer",
        "AVERAGE_POOL_2D": "Pool2D", "MAX_POOL_2D": "Pool2D", "L2_POOL_2D": "Pool2D",
        "CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "MAXIMUM": "MaximumMinimum",
        "MINIMUM": "MaximumMinimum", "BATCH_MATMUL": "BatchMatMul", "L2_NORMALIZATION": "L2Norm",
        "PADV2": "PadV2", "SELECT_V2": "SelectV2", "REVERSE_V2": "ReverseV2", "TOPK_V2": "TopKV2",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
        "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalization",
    }  # fmt: skip
    return irregular.get(type, "".join(part.capitalize() for part in type.split("_"))) + "Options"


def build(case: Case, *, shapes: Sequence[Sequence[int]] | None = None) -> bytes:
    """Return the file; LiteRT computes the shapes of the outputs, unless `shapes` has them."""
    if shapes is None:
        shapes = _computed_shapes(build(case, shapes=[()] * len(case.outputs)))
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    model.version, model.description, model.subgraphs = 3, "one operator", [graph]
    model.buffers = [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, case.type)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    model.operatorCodes = [code]
    graph.name, graph.tensors, graph.inputs, graph.operators = "main", [], [], [operator]
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [], []

    def add(name: str, shape: Sequence[int], dtype: str, data: Any = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, [int(side) for side in shape], TYPES[dtype]
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1
        if case.scale is not None and dtype in ("int8", "uint8", "int16"):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [case.scale], [0]
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    for place, tensor in enumerate(case.inputs):
        if tensor is None:
            operator.inputs.append(-1)
        elif isinstance(tensor, InputTensor):
            operator.inputs.append(add(f"in{place}", tensor.shape, tensor.dtype))
            graph.inputs.append(operator.inputs[-1])
        else:
            operator.inputs.append(add(f"c{place}", tensor.shape, str(tensor.dtype), tensor))
    for place, (dtype, shape) in enumerate(zip(case.outputs, shapes, strict=True)):
        operator.outputs.append(add(f"out{place}", shape, dtype))
    graph.outputs = list(operator.outputs)
    name = _options_name(case.type)
    if hasattr(schema, f"{name}T"):
        operator.builtinOptions = getattr(schema, f"{name}T")()
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name, 0)
        if not operator.builtinOptionsType:
            operator.builtinOptions = None
        for key, value in case.options.items():
            assert hasattr(operator.builtinOptions, key), (name, key)
            setattr(operator.builtinOptions, key, value)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def write_small_model(folder: Path) -> Path:
    """Write a model that takes microseconds: the absolute values of 64 numbers."""
    path = folder / "model.tflite"
    path.write_bytes(build(Case("ABS", (input_tensor(1, 64),))))
    return path


def _computed_shapes(model: bytes) -> list[list[int]]:
    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    return [detail["shape"].tolist() for detail in interpreter.get_output_details()]
