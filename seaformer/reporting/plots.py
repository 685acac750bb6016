"""The parts that all plots are made of: marks over axes, and horizontal bars.

Positions are in percent of the plot, see `scale`. A plot is an image to a screen reader, with a
title and a description in words; its page has a table of its numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seaformer.reporting.scale import Scale

COLORS = 10
"""Distinct colors of the theme. Those after them are the same ones in patterns."""

_ANGLES = (45, 135, 90, 0)
"""Directions of the stripes of a pattern, in degrees; then they come again, wider."""

Position = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """Something drawn in a plot.

    Attributes:
        kind: its class in the theme.
        path: SVG path, in percent of the plot.
        color: number of its colour; None for that of its kind.
        title: what a pointer shows; may be empty.
    """

    kind: str
    path: str
    color: int | None = None
    title: str = ""


@dataclass(frozen=True)
class Label:
    """Text in a plot; the position is in percent from the left and from the top.

    `kind` is its class in the theme: the layouts that have it, and which side is at the position.
    """

    text: str
    x: float
    y: float
    kind: str = ""


@dataclass(frozen=True)
class Plot:
    """Marks over axes.

    Attributes:
        title: what it shows, in words.
        description: its main numbers, in words.
        marks: from the back to the front; those without a path are not drawn.
        x: horizontal axis, whose ticks have lines; None without one.
        y: vertical axis likewise.
        x_name: of the horizontal axis, with its unit.
        labels: of lines, at the right of their ends; of points, near them.
    """

    title: str
    description: str
    marks: tuple[Mark, ...]
    x: Scale | None = None
    y: Scale | None = None
    x_name: str = ""
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A part of a horizontal bar, between two values of the axis.

    Attributes:
        color: number of its colour, or the name of a special one.
        text: written into it where there is room.
    """

    name: str
    color: int | str
    start: float
    end: float
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One of several rows over a common horizontal axis: a plot, or the segments of a bar.

    The label is what it is of; the note has its main numbers and may be empty.
    """

    label: str
    note: str
    content: Plot | tuple[Segment, ...]


@dataclass(frozen=True)
class Rows:
    """Plots or bars below each other, each beside its name, from top to bottom.

    Attributes:
        x: horizontal axis of all.
        unit: name of the axis, with its unit.
        height: of each row, in pixels.
    """

    x: Scale
    unit: str
    height: int
    rows: tuple[Row, ...]


def color_class(color: int | str | None) -> str:
    """The classes of a color in the theme."""
    if color is None or isinstance(color, str):
        return f"c{color}" if color else ""
    return f"c{color % COLORS}{' striped' * (color >= COLORS)}"


def stripes(color: int | str | None) -> str:
    """The style of the pattern that distinguishes a color in its class; may be empty."""
    if not isinstance(color, int) or color < COLORS:
        return ""
    wider, turn = divmod(color // COLORS - 1, len(_ANGLES))
    return f"--angle:{_ANGLES[turn]}deg;--stripe:{2 + 2 * wider}px"


def dots(positions: Iterable[Position]) -> str:
    """A path of a dot at each position: lines without length, whose caps are round."""
    return "".join(f"M{x:g} {y:g}h0" for x, y in positions)


def line(positions: Iterable[Position]) -> str:
    """A path through all positions, in order; empty without one."""
    path = "L".join(f"{x:g} {y:g}" for x, y in positions)
    return path and f"M{path}"


def upright(x: float, top: float = 0, bottom: float = 100) -> str:
    """A path from the top of an interval to its bottom, or of the whole plot."""
    return f"M{x:g} {top:g}V{bottom:g}"


def across(y: float, left: float = 0, right: float = 100) -> str:
    """A path from left to right, by default through the whole plot."""
    return f"M{left:g} {y:g}H{right:g}"


def bracket(ends: Position, y: float, cap: float) -> str:
    """A path of a horizontal interval at a height, with caps of half a height at its ends."""
    caps = "".join(upright(end, y - cap, y + cap) for end in ends)
    return across(y, *ends) + caps


def box(left: float, right: float, top: float = 0, bottom: float = 100) -> str:
    """A path of a rectangle."""
    return f"M{left:g} {top:g}H{right:g}V{bottom:g}H{left:g}z"


def bars(values: Sequence[tuple[str, float, str]], low: float, high: float) -> Rows:
    """Make horizontal bars from zero to each value, negative ones to the left.

    Args:
        values: name, value and its text, of each.
        low: value at the left end, 0 or below.
        high: value at the right end, above 0.
    """
    return Rows(
        Scale(low, high, (0.0,)),
        "",
        10,
        tuple(
            Row(
                name,
                text,
                (Segment(name, _sign(value, low), min(value, 0.0), max(value, 0.0)),),
            )
            for name, value, text in values
        ),
    )


def _sign(value: float, low: float) -> str:
    return "plain" if not low else "worse" if value < 0 else "better"
