"""Transposing with at most four axes where some of them stay beside each other.

Networks with windows, such as Swin, reshape a map to [N, H/w, w, W/w, w, C] and swap two of the six
axes, which GPUs refuse. Axes that the transpose leaves beside each other in the same order are one
axis, and axes of length 1 are none:

    transpose(x [1, H/w, w, W/w, w, C], [0, 1, 3, 2, 4, 5])
        = transpose(x [H/w, w, W/w, w C], [0, 2, 1, 3])  in another shape

If more than four axes remain because the transpose also moves the channels of a map to its end,
they are moved first.
"""

import math
from collections.abc import Sequence

import onnx

from seaformer.export.convert.graph_nodes import RESHAPED_TRANSPOSE, attribute, replace_chains
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

MOST = 4
"""Axes that a GPU takes."""
CHANNELS = 1


def merge_axes(graph: onnx.ModelProto) -> None:
    """Replace Reshape, Transpose, Reshape of more than four axes, where four are enough.

    The graph must have named nodes and static shapes of all tensors.
    """
    shapes = tensor_shapes(graph)

    def build(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        first, transpose, last = chain
        given, lengths = shapes.get(first.input[0], []), shapes[first.output[0]]
        if len(lengths) <= MOST:
            return None
        perm = attribute(transpose, "perm")
        groups = merged_groups(lengths, perm)
        moved = _axis_of_channels(given, lengths) if len(groups) > MOST else None
        new = NewNodes(graph, last, first.input[0])
        if moved is not None:
            batch, channels, *sides = given
            new.transpose([batch, *sides, channels], [0, 2, 3, CHANNELS])
            lengths = [*lengths[:moved], *lengths[moved + 1 :], channels]
            perm = [len(perm) - 1 if axis == moved else axis - (axis > moved) for axis in perm]
            groups = merged_groups(lengths, perm)
        if len(groups) > MOST:
            return None
        _transpose(new, lengths, groups)
        return new.reshape(shapes[last.output[0]]).finish()

    replace_chains(graph, RESHAPED_TRANSPOSE, build)


def merged_groups(lengths: Sequence[int], perm: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the axes that a transpose keeps beside each other, in the order of its output.

    Args:
        lengths: shape of its input; axes of length 1 are omitted.
        perm: axis of the input for each axis of the output.
    """
    axes = [axis for axis, length in enumerate(lengths) if length > 1]
    groups: list[tuple[int, ...]] = []
    for axis in (axis for axis in perm if axis in axes):
        before = axes.index(axis) - 1
        if groups and before >= 0 and groups[-1][-1] == axes[before]:
            groups[-1] = (*groups[-1], axis)
        else:
            groups.append((axis,))
    return groups


def _axis_of_channels(given: Sequence[int], lengths: Sequence[int]) -> int | None:
    """Return the axis of the channels of a map [N, C, H, W] that was reshaped to other lengths."""
    if len(given) != MOST:
        return None
    axes = [
        axis
        for axis, length in enumerate(lengths)
        if [math.prod(lengths[:axis]), length] == list(given[: CHANNELS + 1])
    ]
    return axes[-1] if axes else None


def _transpose(new: NewNodes, lengths: Sequence[int], groups: list[tuple[int, ...]]) -> None:
    order = sorted(groups)
    sizes = [math.prod(lengths[axis] for axis in group) for group in order]
    perm = [order.index(group) for group in groups]
    if len(groups) < MOST:  # a batch of 1, which accelerators expect
        sizes, perm = [1, *sizes], [0, *(place + 1 for place in perm)]
    new.reshape(sizes).transpose([sizes[place] for place in perm], perm)
