"""The simplest model there is: what does not run it does not work at all."""

from ai_edge_litert import schema_py_generated as schema

from seaformer.runtimes.tflite_flatbuffer import pack

SHAPE = (1, 4, 4, 4)


def control_model() -> bytes:
    """Return a .tflite with one ABS of float32 values."""
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
