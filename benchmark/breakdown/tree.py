"""The tree of modules that the operators of a file belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.breakdown.schema import OWN
from seaformer.benchmark.breakdown.titles import own_title_of, title_of

PARTS_OF_THEIR_OWN = ("light_head.argmax",)
"""Modules that the breakdown shows beside the one they stand in."""


@dataclass
class Node:
    """A row to be.

    Attributes:
        path: of the module; see `schema` for those that are none.
        title: in the words of the paper.
        is_own: whether it is for operators of its parent that are in none of its parts.
        operators: indices of all operators in it.
        parts: nodes below it, in the order of their first operators.
    """

    path: str
    title: str
    is_own: bool = False
    operators: list[int] = field(default_factory=list)
    parts: list["Node"] = field(default_factory=list)

    def walk(
        self, depth: int = 0, parent: str | None = None
    ) -> Iterable[tuple["Node", int, str | None]]:
        """This node and all below, each with its depth and its parent's path; parents first."""
        yield self, depth, parent
        for part in self.parts:
            yield from part.walk(depth + 1, self.path)


def build_tree(operators: Sequence[Operator], title: str) -> Node:
    """Build the tree.

    A module that is all there is in another one has no row of its own.

    Args:
        operators: of the file.
        title: of the network.
    """
    root = Node("", title)
    own: dict[str, list[int]] = {}
    for operator in operators:
        node = root
        node.operators.append(operator.index)
        for path in _ancestry(operator.module):
            node = _part(node, path)
            node.operators.append(operator.index)
        own.setdefault(node.path, []).append(operator.index)
    _finish(root, own)
    return root


def _ancestry(module: str) -> list[str]:
    """Paths from the outermost module to this one."""
    if module in PARTS_OF_THEIR_OWN:
        return [module]
    names = module.split(".") if module else []
    return [".".join(names[: end + 1]) for end in range(len(names))]


def _part(node: Node, path: str) -> Node:
    for part in node.parts:
        if part.path == path:
            return part
    node.parts.append(Node(path, title_of(path)))
    return node.parts[-1]


def _finish(node: Node, own: dict[str, list[int]]) -> None:
    for part in node.parts:
        _finish(part, own)
    mine = own.get(node.path, [])
    if node.parts and mine:
        path = f"{node.path}.{OWN}" if node.path else OWN
        node.parts.append(Node(path, own_title_of(node.path), is_own=True, operators=mine))
    if len(node.parts) == 1 and node.path:
        node.parts = node.parts[0].parts
    node.parts.sort(key=lambda part: part.operators[0])
