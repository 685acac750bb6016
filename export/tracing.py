"""Running an exported file with every intermediate tensor kept, to match its operators."""

import numpy as np
import onnx

from seaformer.export.operator_map import Fingerprint, MappedOperator, map_tflite
from seaformer.export.tflite_file import operators

BATCH = 48
"""ONNX tensors fetched per run: bounds the memory, for the price of a few more runs."""


def map_operators(
    flatbuffer: bytes, graph: onnx.ModelProto, modules: set[str], picture: np.ndarray
) -> list[MappedOperator]:
    """Map the operators of a single-precision TFLite file to modules.

    Args:
        flatbuffer: the file.
        graph: the ONNX graph that it was converted from.
        modules: path of every module of the model that the graph was traced from.
        picture: what to run both on, float32 [1, 3, H, W] of values that the model is made for.
            Others saturate activations, and tensors that are mostly zero are hard to tell apart.

    Raises:
        SeaformerError: an operator or a node is left over.
    """
    input_tensor, tensors = _tflite_tensors(flatbuffer, picture)
    return map_tflite(
        operators(flatbuffer), tensors, input_tensor, graph, _onnx_tensors(graph, picture), modules
    )


def _tflite_tensors(flatbuffer: bytes, picture: np.ndarray) -> tuple[int, dict[int, Fingerprint]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The reference kernels write every tensor; a delegate keeps what is inside to itself.
    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    interpreter.set_tensor(index, np.ascontiguousarray(picture.transpose(0, 2, 3, 1)))
    interpreter.invoke()
    written = [tensor for operator in operators(flatbuffer) for tensor in operator.outputs]
    return index, {t: Fingerprint.of(interpreter.get_tensor(t)) for t in written}


def _onnx_tensors(graph: onnx.ModelProto, picture: np.ndarray) -> dict[str, Fingerprint]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    names = [name for node in graph.graph.node for name in node.output]
    full = onnx.ModelProto()
    full.CopyFrom(graph)
    del full.graph.output[:]
    full.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(full.SerializeToString(), options)
    feed = {graph.graph.input[0].name: picture}
    values: dict[str, Fingerprint] = {}
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        for name, value in zip(batch, session.run(batch, feed), strict=True):
            values[name] = Fingerprint.of(value)
    return values
