"""The elements of all plots: marks over axes, and horizontal bars.

Positions are in percent of the plot, see `scale`. For screen readers, a plot has a title and a
description. Its points are images with the exact values, and can be reached with the pointer and
the arrow keys. The page has a table of the plot's numbers.

If there are more items than colors in the theme, colors are repeated, with stripes in areas, dashes
in lines, and other shapes of points.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seaformer.reporting.scale import Scale

COLORS = 10
"""Number of distinct colors of the theme."""

_ANGLES = (45, 135, 90, 0)
"""Directions of the stripes in degrees; further patterns repeat them with wider stripes."""

_SHAPES = ("", "square", "hollow", "hollow square", "bullseye", "bullseye square")
"""CSS classes of the shapes of points, each for as many colors as the theme has."""

MAX_POINTS = 400
"""Largest number of points with their own values in a row; more would make the page large."""

Position = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A shape in a plot.

    Attributes:
        kind: its CSS class in the theme.
        path: SVG path, in percent of the plot.
        color: number of its color; None for the color of its CSS class.
        title: exact values, which make it a point that can be focused; may be empty.
    """

    kind: str
    path: str
    color: int | None = None
    title: str = ""


@dataclass(frozen=True)
class Label:
    """Text in a plot; the position is in percent from the left and from the top.

    `kind` is its CSS classes in the theme: the layouts that show it, and its alignment.
    """

    text: str
    x: float
    y: float
    kind: str = ""


@dataclass(frozen=True)
class Plot:
    """Marks over axes.

    Attributes:
        title: title.
        description: sentence with the main numbers.
        marks: shapes, from back to front; those without a path are not drawn.
        x: horizontal axis, with grid lines at its ticks; None for no axis.
        y: vertical axis, with grid lines at its ticks; None for no axis.
        x_name: name of the horizontal axis, with its unit.
        labels: names of lines, to the right of their ends, or of points, near them.
    """

    title: str
    description: str
    marks: tuple[Mark, ...]
    x: Scale | None = None
    y: Scale | None = None
    x_name: str = ""
    labels: tuple[Label, ...] = ()

    @property
    def has_points(self) -> bool:
        """Whether it has points that can be focused."""
        return any(mark.title and mark.path for mark in self.marks)


@dataclass(frozen=True)
class Segment:
    """A segment of a horizontal bar, between two values of the axis.

    Attributes:
        name: what it represents.
        color: number of its color, or the name of a special color.
        start: value at its left end.
        end: value at its right end.
        text: text inside it, shown if it fits.
    """

    name: str
    color: int | str
    start: float
    end: float
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One of several rows over a common horizontal axis: a plot, or the segments of a bar.

    `label` names the row; `note` has its main numbers and may be empty.
    """

    label: str
    note: str
    content: Plot | tuple[Segment, ...]


@dataclass(frozen=True)
class Rows:
    """Rows of plots or bars with their names.

    Attributes:
        x: common horizontal axis.
        unit: name of the axis, with its unit.
        height: height of each row in pixels.
        rows: rows from top to bottom.
    """

    x: Scale
    unit: str
    height: int
    rows: tuple[Row, ...]


def color_class(color: int | str | None) -> str:
    """Return the CSS classes of a color in the theme."""
    if color is None or isinstance(color, str):
        return f"c{color}" if color else ""
    return f"c{color % COLORS}{' striped' * (color >= COLORS)}"


def dashes(color: int | None) -> str:
    """Return the CSS style of the dashes of a line: one more dot for every repetition of colors."""
    again = 0 if color is None else color // COLORS
    return f"--dashes:12 6{' 1 6' * (again - 1)}" if again else ""


def stripes(color: int | str | None) -> str:
    """Return the CSS style of the striped pattern of a color; may be empty."""
    if not isinstance(color, int) or color < COLORS:
        return ""
    wider, angle = divmod(color // COLORS - 1, len(_ANGLES))
    return f"--angle:{_ANGLES[angle]}deg;--stripe:{2 + 2 * wider}px"


def dots(positions: Iterable[Position]) -> str:
    """Return a path with a dot at each position: lines of length 0 with round caps."""
    return "".join(f"M{x:g} {y:g}h0" for x, y in positions)


def spots(
    kind: str, points: Sequence[tuple[Position, str]], color: int | None = None
) -> tuple[Mark, ...]:
    """Return marks for points, given by position and exact values, in the shape of their color.

    `kind` is the CSS classes of their size. More than `MAX_POINTS` are one mark without values.
    """
    if len(points) > MAX_POINTS:
        return (Mark(kind, dots(position for position, _ in points), color),)
    shape = "" if color is None else _SHAPES[color // COLORS % len(_SHAPES)]
    inner = {"hollow": ("hole",), "bullseye": ("hole", "core")}.get(shape.split(" ")[0], ())
    marks = []
    for position, title in points:
        path = dots([position])
        marks.append(Mark(f"{kind} {shape}".rstrip(), path, color, title))
        marks += [Mark(f"{one} {shape}", path, color) for one in inner]
    return tuple(marks)


def line(positions: Iterable[Position]) -> str:
    """Return a path through all positions, in order; empty without positions."""
    path = "L".join(f"{x:g} {y:g}" for x, y in positions)
    return path and f"M{path}"


def upright(x: float, top: float = 0, bottom: float = 100) -> str:
    """Return a vertical path, by default through the whole plot."""
    return f"M{x:g} {top:g}V{bottom:g}"


def across(y: float, left: float = 0, right: float = 100) -> str:
    """Return a horizontal path, by default through the whole plot."""
    return f"M{left:g} {y:g}H{right:g}"


def bracket(ends: Position, y: float, cap: float) -> str:
    """Return a path of a horizontal interval at height `y`, with caps of 2 x `cap` at its ends."""
    caps = "".join(upright(end, y - cap, y + cap) for end in ends)
    return across(y, *ends) + caps


def box(left: float, right: float, top: float = 0, bottom: float = 100) -> str:
    """Return a path of a rectangle."""
    return f"M{left:g} {top:g}H{right:g}V{bottom:g}H{left:g}z"


def bars(values: Sequence[tuple[str, float, str]], low: float, high: float) -> Rows:
    """Create horizontal bars from zero to each value, negative values to the left.

    Args:
        values: name, value, and text of the value, for each bar.
        low: value at the left end, at most 0.
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
