"""The tree of the modules of a file's operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from seaformer.artifact.metadata import Module
from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.results.breakdown import OWN

OWN_TITLE = "outside any submodule"
"""Title of the row for operators of a module that are in none of its submodules."""

TOP_LEVEL = ("light_head.argmax",)
"""Submodules that the breakdown shows at the top level, not below their parents."""


@dataclass
class Node:
    """A node of the tree, which becomes a row.

    Attributes:
        path: path of the module; for other rows, see `results.breakdown`.
        title: the module as the paper names it.
        section: section of the paper; None if unknown.
        is_own: whether it has the operators of its parent outside any submodule.
        operators: indices of all operators in it.
        children: nodes below it, in the order of their first operators.
    """

    path: str
    title: str
    section: str | None = None
    is_own: bool = False
    operators: list[int] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)

    def walk(
        self, depth: int = 0, parent: str | None = None
    ) -> Iterable[tuple["Node", int, str | None]]:
        """This node and all its descendants, with depth and path of the parent, depth-first."""
        yield self, depth, parent
        for child in self.children:
            yield from child.walk(depth + 1, self.path)


def build_tree(
    operators: Sequence[Operator], title: str, modules: Mapping[str, Module] = MappingProxyType({})
) -> Node:
    """Build the tree of a network with a title, from the operators of its file.

    A node that is the only child of a module is merged into it; a module that is missing in
    `modules` is named by its path. Children are in the order in which the network computes them.
    That order ignores the operators that unpack weights, with which files in half precision start,
    in any order.
    """
    root = Node("", title)
    own: dict[str, list[int]] = {}
    for operator in operators:
        node = root
        node.operators.append(operator.index)
        for path in _ancestry(operator.module):
            node = _child(node, path, modules)
            node.operators.append(operator.index)
        own.setdefault(node.path, []).append(operator.index)
    _finish(root, own, modules, _unpacking(operators))
    return root


def _unpacking(operators: Sequence[Operator]) -> set[int]:
    """Indices of the operators that do not depend on the input, but only unpack weights."""
    found: set[int] = set()
    constant: set[str] = set()
    for operator in operators:
        if constant.issuperset(operator.inputs):
            constant.update(operator.outputs)
            found.add(operator.index)
    return found


def _ancestry(module: str) -> list[str]:
    """Paths from the outermost module to this one."""
    if module in TOP_LEVEL:
        return [module]
    names = module.split(".") if module else []
    return [".".join(names[: end + 1]) for end in range(len(names))]


def _child(node: Node, path: str, modules: Mapping[str, Module]) -> Node:
    for child in node.children:
        if child.path == path:
            return child
    module = modules.get(path) or Module.untitled(path)
    node.children.append(Node(path, module.title, module.section))
    return node.children[-1]


def _finish(
    node: Node,
    own: Mapping[str, list[int]],
    modules: Mapping[str, Module],
    unpacking: set[int],
) -> None:
    for child in node.children:
        _finish(child, own, modules, unpacking)
    mine = own.get(node.path, [])
    if node.children and mine:
        path = f"{node.path}.{OWN}" if node.path else OWN
        module = modules.get(node.path)
        title = OWN_TITLE if module is None or module.own_title is None else module.own_title
        node.children.append(Node(path, title, node.section, is_own=True, operators=mine))
    if len(node.children) == 1 and node.path:
        node.children = node.children[0].children
    node.children.sort(key=lambda child: min((i in unpacking, i) for i in child.operators))
