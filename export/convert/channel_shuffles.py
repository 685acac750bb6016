"""Shuffling channels without a fifth axis.

Networks such as ShuffleNet split the channels into groups, transpose the groups with their
channels, and join them again. GPUs refuse five axes. The result is a selection of channels, a
Gather by a constant vector.
"""

import numpy as np
import onnx

from seaformer.export.convert.graph_nodes import (
    attribute,
    chain_behind,
    readers_of,
    substitute_nodes,
)
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

CHANNELS = 1
SHUFFLED = [0, 2, 1, 3, 4]
"""Order of the axes batch, group, channel of the group, height, width."""


def gather_shuffled_channels(graph: onnx.ModelProto) -> None:
    """Replace Reshape, Transpose, Reshape. The graph must have named nodes and static shapes."""
    shapes = tensor_shapes(graph)
    readers = readers_of(graph)
    outputs = {value.name for value in graph.graph.output}
    gathers: dict[str, list[onnx.NodeProto]] = {}
    merged: set[str] = set()
    for split in graph.graph.node:
        chain = chain_behind(split, ("Reshape", "Transpose", "Reshape"), readers, outputs)
        if not chain:
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
        new = NewNodes(graph, join, split.input[0])
        new.add("Gather", given, groups.T.reshape(-1).tolist(), axis=CHANNELS)
        gathers[join.name] = new.finish()
        merged |= {split.name, transpose.name}
    substitute_nodes(graph, gathers, merged)
