"""Combining a map with a constant of more than four axes in four.

Swin adds a mask, [1, windows, 1, N, N], to scores that it reshapes to [1, windows, heads, N, N] and
back. GPUs refuse five axes, and misread a constant that varies along the batch. With a batch of 1,
and the constant repeated for each head, they compute the same:

    x [1, windows heads, N, N] + mask [1, windows heads, N, N]
"""

import math

import numpy as np
import onnx
from onnx import numpy_helper

from seaformer.export.convert.equal_axes import ELEMENT_WISE
from seaformer.export.convert.graph_nodes import chain_behind, readers_of, substitute_nodes
from seaformer.export.convert.merged_axes import MOST
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes


def flatten_constants(graph: onnx.ModelProto) -> None:
    """Replace Reshape, an element-wise operator with a constant, Reshape, of more than four axes.

    The graph must have named nodes and static shapes of all tensors.
    """
    shapes = tensor_shapes(graph)
    readers = readers_of(graph)
    outputs = {value.name for value in graph.graph.output}
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    replaced: dict[str, list[onnx.NodeProto]] = {}
    merged: set[str] = set()
    for node in graph.graph.node:
        lengths = shapes.get(node.output[0], [])
        for operator in ELEMENT_WISE:
            chain = chain_behind(node, ("Reshape", operator, "Reshape"), readers, outputs)
            if not chain or len(lengths) <= MOST or node.name in replaced:
                continue
            _, combined, last = chain
            place = 1 - list(combined.input).index(node.output[0])
            if combined.input[place] not in constants or shapes[combined.output[0]] != lengths:
                continue
            flat = [1, math.prod(lengths[:-2]), *lengths[-2:]]
            values = numpy_helper.to_array(constants[combined.input[place]])
            name = f"{combined.name}/flat"
            repeated = np.broadcast_to(values, lengths).reshape(flat)
            graph.graph.initializer.append(numpy_helper.from_array(repeated, name))
            new = NewNodes(graph, last, node.input[0]).reshape(flat)
            new.combine(operator, flat, name, place)
            replaced[last.name] = new.reshape(shapes[last.output[0]]).finish()
            merged |= {node.name, combined.name}
    substitute_nodes(graph, replaced, merged)
