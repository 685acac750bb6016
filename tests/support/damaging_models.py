"""Model files that crash a runtime, never end, or allocate all memory; the input is an image."""

from collections.abc import Callable, Sequence
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper
from small_models import SIDE

NHWC, NCHW = [1, SIDE, SIDE, 3], [1, 3, SIDE, SIDE]


def _tensor(shape: Sequence[int], kind: int = schema.TensorType.FLOAT32, buffer: int = 0):  # type: ignore[no-untyped-def]
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = "t", list(shape), kind, buffer
    return tensor


def _operator(code: int, inputs: list[int], outputs: list[int]) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    return operator


def _graph(tensors: list[schema.TensorT], operators: list[schema.OperatorT]) -> schema.SubGraphT:
    """Return a graph whose input is its first tensor and whose output is its second."""
    graph = schema.SubGraphT()
    graph.name, graph.tensors, graph.operators = "g", tensors, operators
    graph.inputs, graph.outputs = [0], [1]
    return graph


def _write_tflite(
    path: Path, types: Sequence[str], graphs: list[schema.SubGraphT], *data: np.ndarray
) -> Path:
    model = schema.ModelT()
    model.version, model.description, model.subgraphs = 3, "", graphs
    model.operatorCodes, model.buffers = [], [schema.BufferT()]
    for name in types:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = 1
        model.operatorCodes.append(code)
    for array in data:
        buffer = schema.BufferT()
        buffer.data = array.view(np.uint8)
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _while(path: Path, condition: int, *, is_computed: bool) -> Path:
    loop = _operator(0, [0], [1])
    loop.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    loop.builtinOptions = schema.WhileOptionsT()
    loop.builtinOptions.condSubgraphIndex, loop.builtinOptions.bodySubgraphIndex = condition, 2
    same = [_operator(1, [2, 2], [1])] if is_computed else []
    truth = _tensor([1], schema.TensorType.BOOL)
    graphs = [
        _graph([_tensor(NHWC), _tensor(NHWC)], [loop]),
        _graph([_tensor(NHWC), truth, _tensor([1], buffer=1)], same),
        _graph([_tensor(NHWC), _tensor(NHWC)], [_operator(2, [0], [1])]),
    ]
    return _write_tflite(path, ("WHILE", "EQUAL", "NEG"), graphs, np.ones(1, np.float32))


def crashes_when_loaded(folder: Path) -> Path:
    """Write a .tflite whose loop is its own condition: LiteRT recurses until stack overflow."""
    return _while(folder / "loading.tflite", 0, is_computed=True)


def crashes_when_run(folder: Path) -> Path:
    """Write a .tflite whose condition is never computed: LiteRT reads a missing tensor."""
    return _while(folder / "running.tflite", 1, is_computed=False)


def never_ends(folder: Path) -> Path:
    """Write a .tflite that loops while 1 equals 1."""
    return _while(folder / "endless.tflite", 1, is_computed=True)


def takes_all_memory(folder: Path) -> Path:
    """Write a .tflite that fills 160 GB."""
    shape = np.array([1, 200_000, 200_000, 1], np.int32)
    tensors = [
        _tensor(NHWC),
        _tensor(shape.tolist()),
        _tensor([4], schema.TensorType.INT32, 1),
        _tensor([], buffer=2),
    ]
    fill = _graph(tensors, [_operator(0, [2, 3], [1])])
    return _write_tflite(folder / "huge.tflite", ["FILL"], [fill], shape, np.ones(1, np.float32))


def _write_onnx(path: Path, node: onnx.NodeProto, constant: np.ndarray) -> Path:
    graph = helper.make_graph(
        [
            node,
            helper.make_node("ReduceMean", ["z"], ["m"], keepdims=0),
            helper.make_node("Mul", ["image", "m"], ["logits"]),
        ],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, NCHW)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, NCHW)],
        [onnx.numpy_helper.from_array(constant, "c")],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def never_ends_in_onnx(folder: Path) -> Path:
    """Write an .onnx that loops as long as a constant is true."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["v"], ["w"])],
        "body",
        [
            info("i", TensorProto.INT64, []),
            info("go", TensorProto.BOOL, []),
            info("v", TensorProto.FLOAT, NCHW),
        ],
        [info("on", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, NCHW)],
    )
    loop = helper.make_node("Loop", ["", "c", "image"], ["z"], body=body)
    return _write_onnx(folder / "endless.onnx", loop, np.array(True))


def takes_all_memory_in_onnx(folder: Path) -> Path:
    """Write an .onnx that creates a constant of 4 TiB."""
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [1])
    node = helper.make_node("ConstantOfShape", ["c"], ["z"], value=value)
    return _write_onnx(folder / "huge.onnx", node, np.array([1 << 40]))


CRASHING: dict[str, Callable[[Path], Path]] = {
    r"crashes LiteRT while it is loaded \(segmentation fault": crashes_when_loaded,
    r"crashes LiteRT while it is run \(segmentation fault": crashes_when_run,
}
"""Error message of the commands -> function that writes the file."""

DAMAGING: dict[str, Callable[[Path], Path]] = CRASHING | {
    "was not run by LiteRT within 8 s": never_ends,
    r"LiteRT cannot open '.*huge\.tflite'": takes_all_memory,
    "was not run by ONNX Runtime within 8 s": never_ends_in_onnx,
    r"ONNX Runtime cannot run '.*huge\.onnx'.*[Ff]ailed to allocate memory": (
        takes_all_memory_in_onnx
    ),
}
"""Limits of the commands: 8 seconds for each step."""


def repeats_itself(folder: Path, times: int = 3000) -> Path:
    """Write a small .tflite with `times` x `times` operators, whose vectors share elements."""
    builder = flatbuffers.Builder(1024)

    def repeated(offset: int) -> int:
        builder.StartVector(4, times, 4)
        for _ in range(times):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    schema.OperatorStart(builder)
    operators = repeated(schema.OperatorEnd(builder))
    schema.SubGraphStart(builder)
    schema.SubGraphAddOperators(builder, operators)
    graphs = repeated(schema.SubGraphEnd(builder))
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    path = folder / "repeats.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path
