"""Reading attributes of ONNX nodes, and replacing the nodes of a graph."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import onnx
from onnx import helper

RESHAPED_TRANSPOSE = ("Reshape", "Transpose", "Reshape")
"""Operators that transpose a tensor in another shape, such as one with windows as axes."""


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


def chain_behind(
    first: onnx.NodeProto,
    operators: Sequence[str],
    readers: Mapping[str, Sequence[onnx.NodeProto]],
    outputs: Collection[str],
) -> list[onnx.NodeProto]:
    """Return a chain of nodes, each the only reader of the one before, or [] if there is none.

    Args:
        first: first node of the chain.
        operators: operators of all its nodes.
        readers: result of `readers_of`.
        outputs: names of the outputs of the graph, which may be read only by the last node.
    """
    chain = [first]
    if first.op_type != operators[0]:
        return []
    for _ in operators[1:]:
        following = readers.get(chain[-1].output[0], ())
        if len(following) != 1 or chain[-1].output[0] in outputs:
            return []
        chain += following
    return chain if [node.op_type for node in chain] == list(operators) else []


def replace_chains(
    graph: onnx.ModelProto,
    operators: Sequence[str],
    build: Callable[[Sequence[onnx.NodeProto]], list[onnx.NodeProto] | None],
) -> None:
    """Replace chains of these operators, in place. No node is part of two replaced chains.

    Args:
        graph: has named nodes.
        operators: operators of the nodes of a chain, see `chain_behind`.
        build: takes the nodes of a chain; returns those that replace it, which write the output of
            its last node, or None to keep the chain.
    """
    readers = readers_of(graph)
    outputs = {value.name for value in graph.graph.output}
    replaced: dict[str, list[onnx.NodeProto]] = {}
    removed: set[str] = set()
    for node in graph.graph.node:
        chain = chain_behind(node, operators, readers, outputs)
        if chain and node.name not in replaced and (nodes := build(chain)):
            *others, last = (one.name for one in chain)
            replaced[last] = nodes
            removed.update(others)
    substitute_nodes(graph, replaced, removed)


def substitute_nodes(
    graph: onnx.ModelProto,
    substitutes: Mapping[str, Sequence[onnx.NodeProto]],
    removed: Collection[str],
) -> None:
    """Replace nodes by others, in place.

    Args:
        graph: has named nodes.
        substitutes: name of a node -> those that take its place.
        removed: names of other nodes that are removed.
    """
    nodes: list[onnx.NodeProto] = []
    for node in graph.graph.node:
        if node.name in substitutes:
            nodes += substitutes[node.name]
        elif node.name not in removed:
            nodes.append(node)
    replace_nodes(graph, nodes)


def replace_nodes(graph: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Replace the nodes of a graph, in place; the new ones may be nodes of this graph."""
    # Copies, because removing a node from its graph may invalidate it.
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.graph.node[:]
    graph.graph.node.extend(copies)
