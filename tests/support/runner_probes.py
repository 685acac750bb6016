"""Writes the known models of the runner, whose outputs it checks: `python runner_probes.py FOLDER`.

They are committed in benchmark/runner/src, so that building the runner needs no onnx or LiteRT.
Both take x, float32 [1, 2, 3, 5]. probe.onnx returns x + 1.5, and probe.tflite returns
round(x / 0.25) - 3 as int8 [1, 2, 3, 5] with scale 0.25 and zero point -3.
"""

import sys
from pathlib import Path

SHAPE = [1, 2, 3, 5]


def write_onnx(path: Path) -> None:
    """Write probe.onnx."""
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)
    add = helper.make_node("Add", ["x", "c"], ["y"], name="add")
    constant = helper.make_tensor("c", TensorProto.FLOAT, [1], [1.5])
    graph = helper.make_graph([add], "probe", [x], [y], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    path.write_bytes(model.SerializeToString())


def write_tflite(path: Path) -> None:
    """Write probe.tflite."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, kind: int) -> schema.TensorT:
        new = schema.TensorT()
        new.name, new.shape, new.type, new.buffer = name, SHAPE, kind, 0
        return new

    x, q = tensor("x", schema.TensorType.FLOAT32), tensor("q", schema.TensorType.INT8)
    q.quantization = schema.QuantizationParametersT()
    q.quantization.scale, q.quantization.zeroPoint = [0.25], [-3]
    quantize = schema.OperatorT()
    quantize.opcodeIndex, quantize.inputs, quantize.outputs = 0, [0], [1]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    graph = schema.SubGraphT()
    graph.name, graph.tensors, graph.operators = "main", [x, q], [quantize]
    graph.inputs, graph.outputs = [0], [1]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers, model.description = [schema.BufferT()], "probe"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_onnx(folder / "probe.onnx")
    write_tflite(folder / "probe.tflite")
