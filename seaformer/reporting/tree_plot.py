"""A tree as nested blocks: one column per level, branches in order, heights by their shares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NAMED = 2.0
"""Minimum height of a branch with a name, in percent of the plot."""


@dataclass(frozen=True)
class Branch:
    """A branch of the tree.

    Attributes:
        name: name, shown if it fits.
        title: tooltip.
        color: number of its color, or the name of a special color.
        size: size; branches of size 0 or less are omitted.
        parts: child branches, drawn in proportion to fill the branch.
    """

    name: str
    title: str
    color: int | str
    size: float
    parts: tuple["Branch", ...] = ()

    def depth(self) -> int:
        """Return the number of levels, including itself."""
        return 1 + max((part.depth() for part in self.parts if part.size > 0), default=0)


@dataclass(frozen=True)
class Block:
    """A branch in the plot; position and size are in percent of the plot.

    Attributes:
        branch: the branch.
        left: left edge.
        top: top edge.
        width: width of its level, or up to the right edge if it has no children.
        height: height, in proportion to its size.
        is_named: whether its name fits.
    """

    branch: Branch
    left: float
    top: float
    width: float
    height: float
    is_named: bool


def tree_plot(branches: Sequence[Branch]) -> tuple[Block, ...]:
    """Lay out a tree; a branch precedes its children."""
    levels = max((branch.depth() for branch in branches if branch.size > 0), default=1)
    return tuple(_blocks(branches, 0.0, 100.0, 0.0, 100.0 / levels))


def _blocks(
    branches: Sequence[Branch], top: float, height: float, left: float, width: float
) -> Iterator[Block]:
    shown = [branch for branch in branches if branch.size > 0]
    total = sum(branch.size for branch in shown)
    for branch in shown:
        own = height * (branch.size / total)  # exact also for subnormal sizes
        across = width if branch.depth() > 1 else 100.0 - left
        yield Block(
            branch, round(left, 3), round(top, 3), round(across, 3), round(own, 3), own >= _NAMED
        )
        yield from _blocks(branch.parts, top, own, left + width, width)
        top += own
