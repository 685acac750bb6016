"""Taking the mean of a large map along one axis after the other.

LiteRT adds the values of a map one by one in single precision. If they are all equal, as on a
uniform image, every addition rounds the same way, and the error of the sum grows with the number of
values: the squeeze-and-excitation of EfficientNet-B0 averages 12,544 values, and its logits reached
only 99 dB on a uniform image, compared with 129 dB in PyTorch. The mean of the means of the rows
adds 112 values twice. The same holds for pooling with large windows, such as the quarters of a map.
"""

import math
from collections.abc import Sequence
from typing import Any

import onnx
from onnx import numpy_helper

from seaformer.export.convert.graph_nodes import attribute, replace_chains
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

HEIGHT, WIDTH = 2, 3
MEANS = ("ReduceMean", "GlobalAveragePool")
ROWS = "rows"
"""Last part of the name of a node that averages rows."""

SMALLEST = 256
"""Minimum number of values of a mean that is split: with fewer, the error on a uniform map is below
the rounding errors of the layers around it. Windows of 16x16, as in TopFormer, are not split."""


def split_means(graph: onnx.ModelProto) -> None:
    """Replace each mean of a large map with a mean of rows and a mean of their means.

    An AveragePool whose windows are that large becomes two, of rows and of columns. The graph must
    have named nodes and static shapes.
    """
    shapes = tensor_shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}

    def means(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        (node,) = chain
        shape = shapes.get(node.input[0], [])
        if not _is_mean(node, shape, constants) or math.prod(shape[HEIGHT:]) < SMALLEST:
            return None
        return _split_mean(graph, node, shape)

    def poolings(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        (node,) = chain
        if not _is_pooling(node) or math.prod(attribute(node, "kernel_shape")) <= SMALLEST:
            return None
        return _split_pooling(graph, node, shapes[node.input[0]])

    for operator in MEANS:
        replace_chains(graph, (operator,), means)
    replace_chains(graph, ("AveragePool",), poolings)


def _split_mean(
    graph: onnx.ModelProto, node: onnx.NodeProto, shape: Sequence[int]
) -> list[onnx.NodeProto]:
    new = NewNodes(graph, node, node.input[0])
    _add_mean(new, graph, [*shape[:WIDTH], 1], [WIDTH], name=ROWS)
    # The width is 1 behind the rows, so the mean over both axes is that over the height; it can
    # drop both.
    keeps = attribute(node, "keepdims", 1)
    mean = [*shape[:HEIGHT], 1, 1] if keeps else shape[:HEIGHT]
    return _add_mean(new, graph, mean, [HEIGHT, WIDTH], keepdims=keeps).finish()


def _add_mean(
    new: NewNodes, graph: onnx.ModelProto, shape: Sequence[int], axes: list[int], **settings: Any
) -> NewNodes:
    """Append a ReduceMean; since opset 18, its axes are an input."""
    opset = next(one.version for one in graph.opset_import if one.domain in ("", "ai.onnx"))
    if opset < 18:
        return new.add("ReduceMean", shape, axes=axes, **settings)
    return new.add("ReduceMean", shape, axes, **settings)


def _split_pooling(
    graph: onnx.ModelProto, node: onnx.NodeProto, shape: Sequence[int]
) -> list[onnx.NodeProto]:
    height, width = attribute(node, "kernel_shape")
    down, right = attribute(node, "strides", [1, 1])
    rows = [*shape[:WIDTH], (shape[WIDTH] - width) // right + 1]
    pooled = [*rows[:HEIGHT], (shape[HEIGHT] - height) // down + 1, rows[WIDTH]]
    new = NewNodes(graph, node, node.input[0])
    new.add("AveragePool", rows, name=ROWS, kernel_shape=[1, width], strides=[1, right])
    new.add("AveragePool", pooled, kernel_shape=[height, 1], strides=[down, 1])
    return new.finish()


def _is_mean(
    node: onnx.NodeProto, shape: list[int], constants: dict[str, onnx.TensorProto]
) -> bool:
    """Whether one of `MEANS` is taken over height and width of a map, [N, C, H, W]."""
    if len(shape) != 4:
        return False
    if node.op_type == "GlobalAveragePool":
        return True
    axes = attribute(node, "axes")
    if axes is None and len(node.input) > 1 and node.input[1] in constants:
        axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
    return sorted(axis % 4 for axis in axes or ()) == [HEIGHT, WIDTH]


def _is_pooling(node: onnx.NodeProto) -> bool:
    """Whether an AveragePool has windows of a map, [N, C, H, W], that are all inside it."""
    return (
        len(attribute(node, "kernel_shape")) == 2
        and not any(attribute(node, "pads", ()))
        and not attribute(node, "ceil_mode", 0)
        and attribute(node, "auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        and all(one == 1 for one in attribute(node, "dilations", ()))
    )
