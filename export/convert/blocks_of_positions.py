"""Splitting a map into blocks of positions, and joining them, with at most four axes.

MobileViTv2, and pixel shuffling in both directions, reshape a map [N, C, b h, b w] to six axes,
[N, C, h, b, w, b], which GPUs refuse. SpaceToDepth and DepthToSpace move the same values, but count
the channels of a block by position first:

    splitting    [N, C, b, b, h, w] = transpose(reshape(s, [N, h w, b b, C]), [0, 3, 2, 1])
                 s [N, h, w, b b C] is the SpaceToDepth of the map, with the channels last
    joining      the same in reverse
    shuffling    DepthToSpace with the channels by channel first = DepthToSpace of selected channels

If the result of splitting is a map again, its channels are selected too.
"""

from collections.abc import Sequence

import numpy as np
import onnx

from seaformer.export.convert.graph_nodes import RESHAPED_TRANSPOSE, attribute, replace_chains
from seaformer.export.convert.new_nodes import NewNodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

SPLITTING, JOINING = [0, 1, 3, 5, 2, 4], [0, 1, 4, 2, 5, 3]
LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
"""Orders of axes that move the channels to the end, and back."""
CHANNELS = 1


def rearrange_blocks(graph: onnx.ModelProto) -> None:
    """Replace these operators. The graph must have named nodes and static shapes."""
    shapes = tensor_shapes(graph)

    def rearranged(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        first, transpose, last = chain
        if len(shapes.get(first.output[0], [])) != len(SPLITTING):
            return None
        perm = attribute(transpose, "perm")
        if perm == SPLITTING:
            return _split(graph, first, last, shapes)
        return _join(graph, first, last, shapes) if perm == JOINING else None

    def shuffled(chain: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto] | None:
        (node,) = chain
        is_by_channel = attribute(node, "mode") == b"CRD"
        return _shuffled(graph, node, shapes) if is_by_channel else None

    replace_chains(graph, RESHAPED_TRANSPOSE, rearranged)
    replace_chains(graph, ("DepthToSpace",), shuffled)


def _split(
    graph: onnx.ModelProto,
    first: onnx.NodeProto,
    last: onnx.NodeProto,
    shapes: dict[str, list[int]],
) -> list[onnx.NodeProto] | None:
    """Return the nodes for a map [N, C, b h, b w] as [N, C, b, b, h, w] in any shape, or None."""
    batch, channels, rows, block, columns, width = shapes[first.output[0]]
    given, written = shapes.get(first.input[0]), shapes[last.output[0]]
    if block != width or given != [batch, channels, rows * block, columns * block]:
        return None
    size = block * block
    new = NewNodes(graph, last, first.input[0])
    new.add("SpaceToDepth", [batch, size * channels, rows, columns], blocksize=block)
    if written == [batch, channels * size, rows, columns]:
        places = np.arange(size * channels).reshape(size, channels).T.reshape(-1)
        return new.add("Gather", written, places.tolist(), axis=CHANNELS).finish()
    new.transpose([batch, rows, columns, size * channels], LAST)
    new.reshape([batch, rows * columns, size, channels])
    new.transpose([batch, channels, size, rows * columns], [0, 3, 2, 1])
    if written != [batch, channels, size, rows * columns]:
        new.reshape(written)
    return new.finish()


def _join(
    graph: onnx.ModelProto,
    first: onnx.NodeProto,
    last: onnx.NodeProto,
    shapes: dict[str, list[int]],
) -> list[onnx.NodeProto] | None:
    """Return the nodes for [N, C, b, b, h, w] in any shape as a map [N, C, b h, b w], or None."""
    batch, channels, block, width, rows, columns = shapes[first.output[0]]
    written = shapes[last.output[0]]
    if block != width or written != [batch, channels, rows * block, columns * block]:
        return None
    size = block * block
    new = NewNodes(graph, last, first.input[0])
    new.reshape([batch, channels, size, rows * columns])
    new.transpose([batch, rows * columns, size, channels], [0, 3, 2, 1])
    new.reshape([batch, rows, columns, size * channels])
    new.transpose([batch, size * channels, rows, columns], FIRST)
    return new.add("DepthToSpace", written, blocksize=block).finish()


def _shuffled(
    graph: onnx.ModelProto, node: onnx.NodeProto, shapes: dict[str, list[int]]
) -> list[onnx.NodeProto]:
    """Return the nodes for a DepthToSpace whose channels are ordered by channel first."""
    given, block = shapes[node.input[0]], attribute(node, "blocksize")
    places = np.arange(given[CHANNELS]).reshape(-1, block * block).T.reshape(-1)
    new = NewNodes(graph, node, node.input[0])
    new.add("Gather", given, places.tolist(), axis=CHANNELS)
    return new.add("DepthToSpace", shapes[node.output[0]], blocksize=block).finish()
