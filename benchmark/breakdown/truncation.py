"""Truncated-model timing: the latency of a module as a difference between truncated models.

The operators are sorted so that modules are contiguous as far as dependencies allow, and the model
is truncated wherever a module ends. A truncated model returns every tensor that a later operator
needs, so that all its operators run. The time of a module is the sum of the differences between the
models that end with one of its segments and those that end before it. The first module includes the
fixed cost of an inference.

If a kernel or a memory plan extends across the end of a module, or if output tensors have to be
copied, the difference is not the time of the module in the complete model. A profile is therefore
preferred if there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.benchmark.breakdown.tree import Node

MAX_TRUNCATED = 20
"""Limit for the models of one process, which are all loaded and warmed up in every round."""


@dataclass(frozen=True)
class Segment:
    """Consecutive operators of one module, in execution order.

    Attributes:
        path: path of its row.
        outputs: tensors that later operators need; empty for the last segment, which has the
            outputs of the file.
    """

    path: str
    operators: tuple[Operator, ...]
    outputs: tuple[str, ...]


def segments(graph: Graph, tree: Node) -> tuple[Segment, ...]:
    """Divide the operators of a file into modules, as finely as `MAX_TRUNCATED` allows."""
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
    """Operator -> the rows that contain it, outermost first, without the network."""
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
    """Sort operators by dependencies, keeping each module's operators together where possible."""
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
