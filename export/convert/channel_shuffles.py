"""Shuffling channels without a fifth axis.

Networks such as ShuffleNet split the channels into groups, transpose the groups with their
channels, and join them again. GPUs refuse five axes. The result is a selection of channels, a
Gather by a constant vector.
"""

from collections.abc import Sequence

import numpy as np
import onnx

from seaformer.export.convert.graph_nodes import RESHAPED_TRANSPOSE, attribute, replace_chains
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

CHANNELS = 1
SHUFFLED = [0, 2, 1, 3, 4]
"""Order of the axes batch, group, channel of the group, height, width."""


def gather_shuffled_channels(graph: onnx.ModelProto) -> None:
    """Replace Reshape, Transpose, Reshape. The graph must have named nodes and static shapes."""
    shapes = tensor_shapes(graph)

    def build(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        split, transpose, join = chain
        given, grouped = shapes.get(split.input[0], []), shapes.get(split.output[0], [])
        if (
            attribute(transpose, "perm") != SHUFFLED
            or shapes.get(join.output[0]) != given
            or len(given) != 4
            or [given[0], *given[2:]] != [grouped[0], *grouped[3:]]
        ):
            return None
        groups = np.arange(given[CHANNELS], dtype=np.int64).reshape(grouped[1:3])
        new = NewNodes(graph, join, split.input[0])
        return new.add("Gather", given, groups.T.reshape(-1).tolist(), axis=CHANNELS).finish()

    replace_chains(graph, RESHAPED_TRANSPOSE, build)
