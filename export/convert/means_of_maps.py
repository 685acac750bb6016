"""Taking the mean of a large map along one axis after the other.

LiteRT adds the values of a map one by one in single precision. If they are all equal, as on a
uniform image, every addition rounds the same way, and the error of the sum grows with the number of
values: the squeeze-and-excitation of EfficientNet-B0 averages 12,544 values, and its logits reached
only 99 dB on a uniform image, compared with 129 dB in PyTorch. The mean of the means of the rows
adds 112 values twice.
"""

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.graph_nodes import attribute, replace_nodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

HEIGHT, WIDTH = 2, 3
SMALLEST = 256
"""Minimum number of values of a mean that is split: with fewer, the error on a uniform map is below
the rounding errors of the layers around it."""


def split_means(graph: onnx.ModelProto) -> None:
    """Replace each mean of a large map with a mean of rows and a mean of their means.

    The graph must have named nodes and static shapes.
    """
    shapes = tensor_shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    nodes = []
    for node in graph.graph.node:
        shape = shapes.get(node.input[0], []) if node.input else []
        if not _is_mean(node, shape, constants) or math.prod(shape[HEIGHT:]) < SMALLEST:
            nodes.append(node)
            continue
        rows = f"{node.name}/rows"
        keeps = attribute(node, "keepdims", 1)
        info = helper.make_tensor_value_info(rows, onnx.TensorProto.FLOAT, [*shape[:WIDTH], 1])
        graph.graph.value_info.append(info)
        nodes.append(_mean(graph, node.input[0], rows, [WIDTH], 1, rows))
        # The width is 1 now, so the mean over both axes is that over the height; it can drop both.
        nodes.append(_mean(graph, rows, node.output[0], [HEIGHT, WIDTH], keeps, node.name))
    replace_nodes(graph, nodes)


def _is_mean(
    node: onnx.NodeProto, shape: list[int], constants: dict[str, onnx.TensorProto]
) -> bool:
    """Whether a node takes the mean over height and width of a map, [N, C, H, W]."""
    if len(shape) != 4 or node.op_type not in ("GlobalAveragePool", "ReduceMean"):
        return False
    if node.op_type == "GlobalAveragePool":
        return True
    axes = attribute(node, "axes")
    if axes is None and len(node.input) > 1 and node.input[1] in constants:
        axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
    return sorted(axis % 4 for axis in axes or ()) == [HEIGHT, WIDTH]


def _mean(
    graph: onnx.ModelProto, given: str, written: str, axes: list[int], keeps: int, name: str
) -> onnx.NodeProto:
    """Return a ReduceMean; since opset 18, its axes are an input."""
    opset = next(one.version for one in graph.opset_import if one.domain in ("", "ai.onnx"))
    if opset < 18:
        return helper.make_node(
            "ReduceMean", [given], [written], name=name, axes=axes, keepdims=keeps
        )
    places = f"{name}/axes"
    graph.graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), places))
    return helper.make_node("ReduceMean", [given, places], [written], name=name, keepdims=keeps)
