"""Combining a map with a constant of more than four axes in four.

Swin adds a mask, [1, windows, 1, N, N], to scores that it reshapes to [1, windows, heads, N, N] and
back. GPUs refuse five axes, and misread a constant that varies along the batch. With a batch of 1,
and the constant repeated for each head, they compute the same:

    x [1, windows heads, N, N] + mask [1, windows heads, N, N]
"""

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from seaformer.export.convert.equal_axes import ELEMENT_WISE
from seaformer.export.convert.graph_nodes import replace_chains
from seaformer.export.convert.merged_axes import MOST
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes


def flatten_constants(graph: onnx.ModelProto) -> None:
    """Replace Reshape, an element-wise operator with a constant, Reshape, of more than four axes.

    The graph must have named nodes and static shapes of all tensors.
    """
    shapes = tensor_shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}

    def build(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        first, combined, last = chain
        lengths = shapes.get(first.output[0], [])
        place = 1 - list(combined.input).index(first.output[0])
        if (
            len(lengths) <= MOST
            or combined.input[place] not in constants
            or shapes[combined.output[0]] != lengths
        ):
            return None
        flat = [1, math.prod(lengths[:-2]), *lengths[-2:]]
        values = numpy_helper.to_array(constants[combined.input[place]])
        name = f"{combined.name}/flat"
        repeated = np.broadcast_to(values, lengths).reshape(flat)
        graph.graph.initializer.append(numpy_helper.from_array(repeated, name))
        new = NewNodes(graph, last, first.input[0]).reshape(flat)
        new.combine(combined.op_type, flat, name, place)
        return new.reshape(shapes[last.output[0]]).finish()

    for operator in ELEMENT_WISE:
        replace_chains(graph, ("Reshape", operator, "Reshape"), build)
