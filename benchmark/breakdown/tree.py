"""The tree of modules that the operators of a file belong to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from seaformer.artifact.metadata import Module
from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.results.breakdown import OWN

OWN_TITLE = "its own operators"
"""Of what is in a module and in none of its parts."""

PARTS_OF_THEIR_OWN = ("light_head.argmax",)
"""Modules that the breakdown shows beside the one they stand in."""


@dataclass
class Node:
    """A row to be.

    Attributes:
        path: of the module; see `schema` for those that are none.
        title: in the words of the paper.
        section: of the paper; None if unknown.
        is_own: whether it is for operators of its parent that are in none of its parts.
        operators: indices of all operators in it.
        parts: nodes below it, in the order of their first operators.
    """

    path: str
    title: str
    section: str | None = None
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


def build_tree(
    operators: Sequence[Operator], title: str, modules: Mapping[str, Module] = MappingProxyType({})
) -> Node:
    """Build the tree of a network with a title, from the operators of its file.

    A module that is all there is in another one has no row of its own; one that is missing in
    `modules` goes by its path. Parts stand in the order in which the network computes them: files
    of half precision begin with operators that unpack their weights, in any order, and those decide
    nothing.
    """
    root = Node("", title)
    own: dict[str, list[int]] = {}
    for operator in operators:
        node = root
        node.operators.append(operator.index)
        for path in _ancestry(operator.module):
            node = _part(node, path, modules)
            node.operators.append(operator.index)
        own.setdefault(node.path, []).append(operator.index)
    _finish(root, own, modules, _unpacking(operators))
    return root


def _unpacking(operators: Sequence[Operator]) -> set[int]:
    """Indices of the operators that compute the same whatever the input: weights from weights."""
    found: set[int] = set()
    constant: set[str] = set()
    for operator in operators:
        if constant.issuperset(operator.inputs):
            constant.update(operator.outputs)
            found.add(operator.index)
    return found


def _ancestry(module: str) -> list[str]:
    """Paths from the outermost module to this one."""
    if module in PARTS_OF_THEIR_OWN:
        return [module]
    names = module.split(".") if module else []
    return [".".join(names[: end + 1]) for end in range(len(names))]


def _part(node: Node, path: str, modules: Mapping[str, Module]) -> Node:
    for part in node.parts:
        if part.path == path:
            return part
    module = modules.get(path) or Module.untitled(path)
    node.parts.append(Node(path, module.title, module.section))
    return node.parts[-1]


def _finish(
    node: Node,
    own: Mapping[str, list[int]],
    modules: Mapping[str, Module],
    unpacking: set[int],
) -> None:
    for part in node.parts:
        _finish(part, own, modules, unpacking)
    mine = own.get(node.path, [])
    if node.parts and mine:
        path = f"{node.path}.{OWN}" if node.path else OWN
        module = modules.get(node.path)
        title = OWN_TITLE if module is None or module.own_title is None else module.own_title
        node.parts.append(Node(path, title, node.section, is_own=True, operators=mine))
    if len(node.parts) == 1 and node.path:
        node.parts = node.parts[0].parts
    node.parts.sort(key=lambda part: min((i in unpacking, i) for i in part.operators))
