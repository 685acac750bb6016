"""Taking the mean of a large map along one axis after the other.

LiteRT adds the values of a map one by one in single precision. If they are all equal, as on a
uniform image, every addition rounds the same way, and the error of the sum grows with the number of
values: the squeeze-and-excitation of EfficientNet-B0 averages 12,544 values, and its logits reached
only 99 dB on a uniform image, compared with 129 dB in PyTorch. The mean of the means of the rows
adds 112 values twice. The same holds for pooling with large windows, such as the quarters of a map.
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

    An AveragePool whose windows are that large becomes two, of rows and of columns. The graph must
    have named nodes and static shapes.
    """
    shapes = tensor_shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    nodes = []
    for node in graph.graph.node:
        shape = shapes.get(node.input[0], []) if node.input else []
        if _is_mean(node, shape, constants) and math.prod(shape[HEIGHT:]) >= SMALLEST:
            nodes += _split_mean(graph, node, shape)
        elif _is_pooling(node) and math.prod(attribute(node, "kernel_shape")) >= SMALLEST:
            nodes += _split_pooling(graph, node, shape)
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)


def _split_mean(
    graph: onnx.ModelProto, node: onnx.NodeProto, shape: list[int]
) -> list[onnx.NodeProto]:
    rows = _rows(graph, node, [*shape[:WIDTH], 1])
    keeps = attribute(node, "keepdims", 1)
    # The width is 1 behind the rows, so the mean over both axes is that over the height; it can
    # drop both.
    return [
        _mean(graph, node.input[0], rows, [WIDTH], 1, rows),
        _mean(graph, rows, node.output[0], [HEIGHT, WIDTH], keeps, node.name),
    ]


def _split_pooling(
    graph: onnx.ModelProto, node: onnx.NodeProto, shape: list[int]
) -> list[onnx.NodeProto]:
    height, width = attribute(node, "kernel_shape")
    down, right = attribute(node, "strides", [1, 1])
    rows = _rows(graph, node, [*shape[:WIDTH], (shape[WIDTH] - width) // right + 1])
    return [
        _pooling(node.input[0], rows, [1, width], [1, right], rows),
        _pooling(rows, node.output[0], [height, 1], [down, 1], node.name),
    ]


def _rows(graph: onnx.ModelProto, node: onnx.NodeProto, shape: list[int]) -> str:
    """Declare the tensor of the means of rows, and return its name."""
    name = f"{node.name}/rows"
    info = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    graph.graph.value_info.append(info)
    return name


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


def _is_pooling(node: onnx.NodeProto) -> bool:
    """Whether a node averages windows of a map, [N, C, H, W], that are all inside it."""
    return (
        node.op_type == "AveragePool"
        and len(attribute(node, "kernel_shape")) == 2
        and not any(attribute(node, "pads", ()))
        and not attribute(node, "ceil_mode", 0)
        and attribute(node, "auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        and all(one == 1 for one in attribute(node, "dilations", ()))
    )


def _pooling(
    given: str, written: str, kernel: list[int], strides: list[int], name: str
) -> onnx.NodeProto:
    return helper.make_node(
        "AveragePool", [given], [written], name=name, kernel_shape=kernel, strides=strides
    )


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
