"""A minimal control model: a target that cannot run it does not work at all."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.runtimes.session import Array
from seaformer.runtimes.tflite_flatbuffer import pack

SHAPE = (1, 4, 4, 4)


def control_model(suffix: str) -> tuple[bytes, Array]:
    """Return a model in the format with this suffix, and an input for it.

    It is a .tflite with one ABS on float32, or an .onnx with one quantized Relu on uint8, because
    some NPUs have no floating point.
    """
    if suffix == ".onnx":
        return _relu_of_bytes(), np.ones(SHAPE, np.uint8)
    return _abs(), np.ones(SHAPE, np.float32)


def _relu_of_bytes() -> bytes:
    from onnx import TensorProto, helper

    def port(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.UINT8, SHAPE)

    nodes = [
        helper.make_node("DequantizeLinear", ["given", "scale", "zero"], ["real"], name="take"),
        helper.make_node("Relu", ["real"], ["positive"], name="compute"),
        helper.make_node(
            "QuantizeLinear", ["positive", "scale", "zero"], ["computed"], name="give"
        ),
    ]
    constants = [
        helper.make_tensor("scale", TensorProto.FLOAT, (), [0.5]),
        helper.make_tensor("zero", TensorProto.UINT8, (), [0]),
    ]
    graph = helper.make_graph(nodes, "control", [port("given")], [port("computed")], constants)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return bytes(model.SerializeToString())


def _abs() -> bytes:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ABS
    code.version = 1
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph = schema.SubGraphT()
    graph.name = b"main"
    graph.tensors = [_tensor(b"given"), _tensor(b"computed")]
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [1]
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    return pack(model)


def _tensor(name: bytes) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, list(SHAPE), schema.TensorType.FLOAT32
    tensor.buffer = 0
    return tensor
