"""Shuffling channels without a fifth axis.

Networks such as ShuffleNet split the channels into groups, transpose the groups with their
channels, and join them again. GPUs refuse five axes. The result is a selection of channels, a
Gather by a constant vector.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.graph_nodes import attribute, readers_of, replace_nodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

CHANNELS = 1
SHUFFLED = [0, 2, 1, 3, 4]
"""Order of the axes batch, group, channel of the group, height, width."""


def gather_shuffled_channels(graph: onnx.ModelProto) -> None:
    """Replace Reshape, Transpose, Reshape. The graph must have named nodes and static shapes."""
    shapes = tensor_shapes(graph)
    readers = readers_of(graph)
    outputs = {value.name for value in graph.graph.output}
    gathers, merged = {}, set()
    for split in graph.graph.node:
        chain = [split]
        while len(chain) < 3 and chain[-1].output[0] not in outputs:
            following = readers.get(chain[-1].output[0], [])
            if len(following) != 1:
                break
            chain += following
        if [node.op_type for node in chain] != ["Reshape", "Transpose", "Reshape"]:
            continue
        _, transpose, join = chain
        given, grouped = shapes.get(split.input[0], []), shapes.get(split.output[0], [])
        if (
            attribute(transpose, "perm") != SHUFFLED
            or shapes.get(join.output[0]) != given
            or len(given) != 4
        ):
            continue
        if [given[0], *given[2:]] != [grouped[0], *grouped[3:]]:
            continue
        groups = np.arange(given[CHANNELS], dtype=np.int64).reshape(grouped[1:3])
        places = f"{join.name}/channels"
        graph.graph.initializer.append(numpy_helper.from_array(groups.T.reshape(-1), places))
        gathers[join.name] = helper.make_node(
            "Gather", [split.input[0], places], join.output, name=join.name, axis=CHANNELS
        )
        merged |= {split.name, transpose.name}
    nodes = [gathers.get(node.name, node) for node in graph.graph.node if node.name not in merged]
    replace_nodes(graph, nodes)
