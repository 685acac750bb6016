"""Plots of one number over another: lines with names at their ends, or numbered points.

Names beside lines are pushed apart; numbers of points are put where they cover nothing, assuming
the smallest plot, that of a phone held upright.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seaformer.reporting.plots import Label, Mark, Plot, Position, across, dots, line, upright
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Interval

LABEL_GAP = 6.0
"""Height of a line of text, in percent of the plot's."""
BADGE_WIDTH, BADGE_HEIGHT = 9.0, 6.5
"""Size of a point's number, in percent of a plot 250 pixels wide and 360 high."""

_AROUND = ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, 1), (1, 1), (-1, -1))
"""Where a point's number may be, in the order of preference."""


@dataclass(frozen=True)
class Value:
    """A point of a line or of a scatter plot.

    `low` and `high` are the ends of its vertical interval, or of its horizontal one in a scatter
    plot; both are None without an interval.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None


def interval_ends(interval: Interval | None) -> tuple[float, float] | tuple[None, None]:
    """The ends of an interval, for a `Value`."""
    return (None, None) if interval is None else (interval.low, interval.high)


def line_plot(
    title: str,
    description: str,
    x_name: str,
    lines: Sequence[tuple[str, int, Sequence[Value]]],
    x_ticks: Sequence[float] | None = None,
) -> Plot:
    """Draw lines over two logarithmic axes.

    Args:
        title: of the plot.
        description: its main numbers, in words.
        x_name: of the horizontal axis.
        lines: name, number of the colour, and points of each, one or more, from left to right.
        x_ticks: values to mark on the horizontal axis; None for round ones.
    """
    values = [value for _, _, points in lines for value in points]
    x = Scale.logarithmic([value.x for value in values], x_ticks)
    y = Scale.logarithmic(
        end for value in values for end in (value.y, value.low, value.high) if end is not None
    )
    ends = [(x.at(points[-1].x), y.below(points[-1].y)) for _, _, points in lines]
    rightmost = max(left for left, _ in ends)
    full = [place for place, (left, _) in enumerate(ends) if left == rightmost]
    moved = dict(zip(full, spread([ends[place][1] for place in full]), strict=True))
    labels, marks = [], []
    for place, ((name, color, points), end) in enumerate(zip(lines, ends, strict=True)):
        at = (100.0, moved[place]) if place in moved else end
        labels.append(Label(name, *at))
        positions = [(x.at(value.x), y.below(value.y)) for value in points]
        intervals = "".join(
            upright(x.at(value.x), y.below(value.low), y.below(value.high))
            for value in points
            if value.low is not None and value.high is not None
        )
        marks += [
            Mark("leader", line([end, at]), color),
            Mark("curve", line(positions), color),
            Mark("spots", dots(positions), color),
            Mark("whiskers", intervals, color),
        ]
    return Plot(title, description, tuple(marks), x, y, x_name, tuple(labels))


def spread(places: Sequence[float], gap: float = LABEL_GAP) -> list[float]:
    """Move places on 0..100 as little as possible, so that no two are nearer than `gap`.

    Their order stays. Less the gaps before each, they have only to ascend: isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(places, kind="stable")
    gaps = gap * np.arange(len(places))
    ascending = isotonic_regression(np.asarray(places)[order] - gaps).x
    moved = np.empty(len(places))
    moved[order] = gaps + ascending.clip(gap / 2, max(100 - gap / 2 - gaps[-1], gap / 2))
    return [round(float(place), 2) for place in moved]


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot, with the number of its colour.

    Attributes:
        position: of the point.
        badge: position of its number.
        is_on_front: whether no other point is both further left and higher.
    """

    name: str
    color: int
    position: Position
    badge: Position
    is_on_front: bool


@dataclass(frozen=True)
class Scatter:
    """Numbered points over both axes.

    The plot has the points and steps through those that no other one beats in both; the dots are
    the key to it, from left to right.
    """

    plot: Plot
    dots: tuple[Dot, ...]


def scatter(title: str, x_name: str, points: Sequence[tuple[str, int, Value]]) -> Scatter:
    """Draw one or more points: name, number of the colour, and value of each.

    Less is better on the logarithmic horizontal axis, and more on the other.
    """
    ordered = sorted(points, key=lambda point: point[2].x)
    values = [value for _, _, value in ordered]
    x = Scale.logarithmic(
        end for value in values for end in (value.x, value.low, value.high) if end is not None
    )
    y = Scale.over((value.y for value in values), least=1.0)
    front = pareto_front(values)
    positions = [(x.at(value.x), y.below(value.y)) for value in values]
    badges = _badges(positions)
    found = tuple(
        Dot(name, color, positions[place], badges[place], place in front)
        for place, (name, color, _) in enumerate(ordered)
    )
    intervals = "".join(
        across(below, x.at(value.low), x.at(value.high))
        for value, (_, below) in zip(values, positions, strict=True)
        if value.low is not None and value.high is not None
    )
    marks = (
        Mark("front", _steps([positions[place] for place in front])),
        Mark("whiskers", intervals),
        Mark("ring", dots(dot.position for dot in found if dot.is_on_front)),
        *(Mark("spots", dots([dot.position]), dot.color, dot.name) for dot in found),
    )
    names = ", ".join(dot.name for dot in found)
    description = f"From left to right: {names}. The numbers are in the table below."
    labels = tuple(Label(str(place), *dot.badge) for place, dot in enumerate(found, 1))
    return Scatter(Plot(title, description, marks, x, y, x_name, labels), found)


def pareto_front(values: Sequence[Value]) -> list[int]:
    """Return the places of the values that none beats, by ascending x.

    One value beats another if it is not larger in x nor smaller in y, and better in one of them.
    """
    front: list[int] = []
    for place in sorted(range(len(values)), key=lambda index: (values[index].x, -values[index].y)):
        if not front or values[place].y > values[front[-1]].y:
            front.append(place)
    return front


def _steps(places: Sequence[tuple[float, float]]) -> str:
    first = f"M{places[0][0]:g} {places[0][1]:g}"
    return first + "".join(f"H{right[0]:g}V{right[1]:g}" for _, right in pairwise(places))


def _badges(positions: Sequence[Position]) -> list[Position]:
    """Put every number beside its dot: at the first position where it covers no dot or number."""
    taken: list[Position] = []
    for x, y in positions:
        options = (
            (x + right * BADGE_WIDTH * reach, y + down * BADGE_HEIGHT * reach)
            for reach in (1.0, 1.7, 2.4)
            for right, down in _AROUND
        )
        others = [*taken, *(position for position in positions if position != (x, y))]
        free = (
            one
            for one in options
            if 0 <= one[0] <= 100
            and 0 <= one[1] <= 100
            and not any(_overlap(one, other) for other in others)
        )
        best = next(free, (x, y))
        taken.append((round(best[0], 2), round(best[1], 2)))
    return taken


def _overlap(one: Position, other: Position) -> bool:
    return abs(one[0] - other[0]) < BADGE_WIDTH and abs(one[1] - other[1]) < BADGE_HEIGHT
