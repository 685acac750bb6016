"""Truncated (prefix) models, whose latencies differ by that of a module.

The operators are put into an order in which modules stand together as far as their dependencies
allow, and a model is truncated wherever a module ends. It gives every tensor that a later operator
needs, so that it computes all of what it has and nothing else. The time of a module is the sum of
the differences between the models that end with a segment of it and those before. The first has the
fixed cost of an inference in it.

These differences are exact where the whole is not: where a kernel or a memory plan reaches over the
end of a module, or where the tensors it gives have to be copied out, the difference is not the
module's time in the whole. That is why a profile goes first where there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.benchmark.breakdown.tree import Node

MAX_TRUNCATED = 20
"""Models of one process: each is loaded and warmed up in every round."""


@dataclass(frozen=True)
class Segment:
    """Operators of one module that run one after another, in that order.

    Attributes:
        path: of the row that it is part of.
        outputs: tensors that have to be there after it; empty after the last: the file's own.
    """

    path: str
    operators: tuple[Operator, ...]
    outputs: tuple[str, ...]


def segments(graph: Graph, tree: Node) -> tuple[Segment, ...]:
    """Divide a file's operators by the tree of its modules, as finely as `MAX_TRUNCATED` allows."""
    chains = _chains(tree)
    ordered = _group_by_module(graph.working(), chains)
    depth = max(len(chain) for chain in chains.values())
    found = _divide(ordered, chains, depth)
    while len(found) > MAX_TRUNCATED and depth > 1:
        depth -= 1
        found = _divide(ordered, chains, depth)
    done: list[Operator] = []
    result = []
    for path, operators in found:
        done += operators
        result.append(Segment(path, tuple(operators), graph.live_after(done)))
    result[-1] = Segment(result[-1].path, result[-1].operators, ())
    return tuple(result)


def _chains(tree: Node) -> dict[int, tuple[str, ...]]:
    """Operator -> the rows it is in, outermost first, without the network."""
    chains: dict[int, tuple[str, ...]] = {}
    for node, depth, _ in tree.walk():
        for index in node.operators:
            if depth > 0:
                chains[index] = (*chains[index][: depth - 1], node.path)
            else:
                chains[index] = ()
    return chains


def _group_by_module(
    operators: Sequence[Operator], chains: dict[int, tuple[str, ...]]
) -> list[Operator]:
    """Order operators so that each follows what it needs and, where it can, its own module."""
    computed = {name for operator in operators for name in operator.outputs}
    ready: set[str] = set()
    waiting, ordered = list(operators), []
    last: tuple[str, ...] = ()
    while waiting:
        able = [one for one in waiting if computed.intersection(one.inputs) <= ready]
        chosen = max(able, key=lambda one: (_common(chains[one.index], last), -one.index))
        waiting.remove(chosen)
        ready.update(chosen.outputs)
        ordered.append(chosen)
        last = chains[chosen.index]
    return ordered


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=False))


def _divide(
    ordered: Sequence[Operator], chains: dict[int, tuple[str, ...]], depth: int
) -> list[tuple[str, list[Operator]]]:
    found: list[tuple[str, list[Operator]]] = []
    for operator in ordered:
        path = chains[operator.index][:depth][-1] if chains[operator.index] else ""
        if not found or found[-1][0] != path:
            found.append((path, []))
        found[-1][1].append(operator)
    return found
