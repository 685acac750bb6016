"""A tree as nested blocks: a column for each level, every branch as high as its share, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NAMED = 2.0
"""Percent of the plot's height that a branch needs for its name."""


@dataclass(frozen=True)
class Branch:
    """A part of the tree.

    Attributes:
        name: written into it where there is room.
        title: what a pointer shows.
        color: number of its colour, or the name of a special one.
        size: of the branch; those that are not above 0 are left out.
        parts: what it is made of; they are drawn in proportion, and fill it.
    """

    name: str
    title: str
    color: int | str
    size: float
    parts: tuple["Branch", ...] = ()

    def depth(self) -> int:
        """How many levels it has, itself included."""
        return 1 + max((part.depth() for part in self.parts if part.size > 0), default=0)


@dataclass(frozen=True)
class Block:
    """A branch in the plot, at a position in percent of the plot.

    Attributes:
        width: of its level; up to the right edge without parts.
        height: its share of what is around it.
        is_named: whether there is room for the name.
    """

    branch: Branch
    left: float
    top: float
    width: float
    height: float
    is_named: bool


def tree_plot(branches: Sequence[Branch]) -> tuple[Block, ...]:
    """Lay a tree out; a branch comes before its parts."""
    levels = max((branch.depth() for branch in branches if branch.size > 0), default=1)
    return tuple(_blocks(branches, 0.0, 100.0, 0.0, 100.0 / levels))


def _blocks(
    branches: Sequence[Branch], top: float, height: float, left: float, width: float
) -> Iterator[Block]:
    shown = [branch for branch in branches if branch.size > 0]
    total = sum(branch.size for branch in shown)
    for branch in shown:
        own = height * branch.size / total
        across = width if branch.depth() > 1 else 100.0 - left
        yield Block(
            branch, round(left, 3), round(top, 3), round(across, 3), round(own, 3), own >= _NAMED
        )
        yield from _blocks(branch.parts, top, own, left + width, width)
        top += own
