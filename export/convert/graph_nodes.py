"""Reading attributes of ONNX nodes, and replacing the nodes of a graph."""

from collections.abc import Iterable
from typing import Any

import onnx
from onnx import helper


def attribute(node: onnx.NodeProto, name: str, missing: Any = None) -> Any:
    """Return the value of an attribute of a node, or `missing`."""
    return next(
        (helper.get_attribute_value(one) for one in node.attribute if one.name == name), missing
    )


def readers_of(graph: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """Return the name of each tensor -> the nodes that take it, in the order of the graph."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def replace_nodes(graph: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Replace the nodes of a graph, in place; the new ones may be nodes of this graph."""
    # Copies, because removing a node from its graph may invalidate it.
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.graph.node[:]
    graph.graph.node.extend(copies)
