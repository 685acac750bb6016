"""Splitting the joined query, key and value of an attention before its heads are separated.

Most libraries reshape the projection of N tokens to five axes, which no GPU accelerator takes:

    unbind(transpose(reshape(x, [B, N, 3, H, D]), [2, *p]))
        = transpose(reshape(x_i, [B, N, H, D]), q)  for each of the thirds x_i of x

The thirds are slices of the last axis of x, [B, N, 3 H D]; q is p without counting axis 2.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.graph_nodes import attribute, readers_of, substitute_nodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

RANK, PART = 5, 2
"""Axes of the reshaped projection, and the one of query, key and value."""


def split_projections(graph: onnx.ModelProto) -> int:
    """Rewrite every joined projection in place, and return their number.

    The graph must have named nodes and static shapes of all tensors.
    """
    shapes = tensor_shapes(graph)
    readers = readers_of(graph)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    removed: set[str] = set()
    for node in graph.graph.node:
        found = _joined(node, readers, shapes)
        if found is None:
            continue
        transpose, split, squeezes = found
        batch, tokens, parts, heads, depth = shapes[node.output[0]]
        sizes = {
            f"{node.name}/width": [batch, tokens, parts * heads * depth],
            f"{node.name}/heads": [batch, tokens, heads, depth],
        }
        width, separated = sizes
        for name, value in sizes.items():
            graph.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
        order = [axis - (axis > PART) for axis in transpose.attribute[0].ints[1:]]
        flat, thirds = f"{node.name}/flat", [f"{split.name}/part{i}" for i in range(parts)]
        nodes = [
            helper.make_node("Reshape", [node.input[0], width], [flat], name=node.name),
            helper.make_node("Split", [flat], thirds, name=split.name, axis=2, num_outputs=parts),
        ]
        for third, squeeze in zip(thirds, squeezes, strict=True):
            rows = f"{squeeze.name}_rows"
            nodes.append(helper.make_node("Reshape", [third, separated], [rows], name=rows))
            nodes.append(
                helper.make_node(
                    "Transpose", [rows], [squeeze.output[0]], name=squeeze.name, perm=order
                )
            )
        replaced[node.name] = nodes
        removed.update(one.name for one in (node, transpose, split, *squeezes))
    substitute_nodes(graph, replaced, removed)
    computed = {name for node in graph.graph.node for name in node.output}
    left = [value for value in graph.graph.value_info if value.name in computed]
    del graph.graph.value_info[:]
    graph.graph.value_info.extend(left)
    return len(replaced)


def _joined(
    node: onnx.NodeProto, readers: dict[str, list[onnx.NodeProto]], shapes: dict[str, list[int]]
) -> tuple[onnx.NodeProto, onnx.NodeProto, list[onnx.NodeProto]] | None:
    """Return the Transpose, the Split and the Squeezes behind a Reshape, or None."""
    if node.op_type != "Reshape" or len(shapes.get(node.output[0], [])) != RANK:
        return None
    chain = [node]
    for kind in ("Transpose", "Split"):
        following = readers.get(chain[-1].output[0], [])
        if len(following) != 1 or following[0].op_type != kind:
            return None
        chain.append(following[0])
    _, transpose, split = chain
    squeezes = [reader for name in split.output for reader in readers.get(name, [])]
    parts = shapes[node.output[0]][PART]
    is_unbound = (
        transpose.attribute[0].ints[0] == PART
        and attribute(split, "axis", 0) == 0
        and len(split.output) == len(squeezes) == parts
        and all(one.op_type == "Squeeze" for one in squeezes)
        and all(len(shapes.get(one.output[0], [])) == RANK - 1 for one in squeezes)
    )
    return (transpose, split, squeezes) if is_unbound else None
