"""Plots of one quantity over another: lines with names at their ends, or points with names.

Names of lines are moved apart; names of points are placed without overlaps, once for a wide page
and once for a phone in portrait orientation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np

from seaformer.reporting.numbers import exact
from seaformer.reporting.plots import (
    Label,
    Mark,
    Plot,
    Position,
    across,
    dots,
    line,
    spots,
    upright,
)
from seaformer.reporting.point_names import NARROW, WIDE, place_names
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Interval

LABEL_GAP = 6.0
"""Height of a line of text, in percent of the plot's height."""

WHISKER_STEP = 2.0
"""Distance in percent of the plot's width between the positions of a whisker that names avoid."""


@dataclass(frozen=True)
class Value:
    """A point of a line or of a scatter plot.

    `low` and `high` are the ends of its interval, which is vertical for a line and horizontal in a
    scatter plot; both are None without an interval.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None


def interval_ends(interval: Interval | None) -> tuple[float, float] | tuple[None, None]:
    """Return the ends of an interval, for a `Value`."""
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
        title: title of the plot.
        description: sentence with the main numbers.
        x_name: name of the horizontal axis.
        lines: name, color number, and one or more points from left to right, for each line.
        x_ticks: ticks of the horizontal axis; None for round values.
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
            Mark("whiskers", intervals, color),
            *spots("spots", _titled(name, points, positions), color),
        ]
    return Plot(title, description, tuple(marks), x, y, x_name, tuple(labels))


def _titled(
    name: str, values: Sequence[Value], positions: Sequence[Position]
) -> list[tuple[Position, str]]:
    return [
        (at, f"{name}: x {exact(value.x)}, y {exact(value.y, value.low, value.high)}")
        for value, at in zip(values, positions, strict=True)
    ]


def spread(places: Sequence[float], gap: float = LABEL_GAP) -> list[float]:
    """Move positions on 0..100 as little as possible so that their distances are at least `gap`.

    Their order is preserved. After subtracting the gaps, they only need to be ascending, which is
    an isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(places, kind="stable")
    gaps = gap * np.arange(len(places))
    ascending = isotonic_regression(np.asarray(places)[order] - gaps).x
    moved = np.empty(len(places))
    moved[order] = gaps + ascending.clip(gap / 2, max(100 - gap / 2 - gaps[-1], gap / 2))
    return [round(float(place), 2) for place in moved]


class Standing(Enum):
    """Whether a point is on the Pareto front: no other point is further left and not lower."""

    ON = "yes"
    UNCLEAR = "unclear"
    BEATEN = "no"


def standings(values: Sequence[Value], is_less: Callable[[int, int], bool]) -> list[Standing]:
    """Compare each value with all others.

    A value beats another if it is not larger in x and not smaller in y, and better in one of them.

    Args:
        values: points; lower x and higher y are better.
        is_less: whether x of the value with the first index is significantly less than x of the
            value with the second index. A value is unclear if none of the values that beat it is
            significantly less.
    """

    def beats(one: Value, other: Value) -> bool:
        return one.x <= other.x and one.y >= other.y and (one.x, one.y) != (other.x, other.y)

    found = []
    for place, value in enumerate(values):
        better = [other for other, one in enumerate(values) if beats(one, value)]
        is_beaten = any(is_less(other, place) for other in better)
        found.append(
            Standing.ON if not better else Standing.BEATEN if is_beaten else Standing.UNCLEAR
        )
    return found


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot; `color` is the number of its color."""

    name: str
    color: int
    value: Value
    standing: Standing


def scatter(title: str, x_name: str, points: Sequence[Dot]) -> Plot:
    """Draw one or more points with their names.

    Lower is better on the logarithmic horizontal axis, higher on the vertical axis. A step line
    connects the points on the Pareto front, which have a ring; unclear points have a pale ring.
    """
    ordered = sorted(points, key=lambda dot: dot.value.x)
    values = [dot.value for dot in ordered]
    x = Scale.logarithmic(
        end for value in values for end in (value.x, value.low, value.high) if end is not None
    )
    y = Scale.over((value.y for value in values), least=1.0)
    positions = [(x.at(value.x), y.below(value.y)) for value in values]
    names = [dot.name for dot in ordered]
    along = [
        (float(left), below)
        for value, (_, below) in zip(values, positions, strict=True)
        if value.low is not None and value.high is not None
        for left in np.arange(x.at(value.low), x.at(value.high), WHISKER_STEP)
    ]
    wide, narrow = (place_names(names, positions, frame, along) for frame in (WIDE, NARROW))
    drawn = list(zip(ordered, positions, strict=True))
    by_standing = {
        standing: [at for dot, at in drawn if dot.standing is standing] for standing in Standing
    }
    intervals = "".join(
        across(below, x.at(value.low), x.at(value.high))
        for value, (_, below) in zip(values, positions, strict=True)
        if value.low is not None and value.high is not None
    )
    marks = (
        Mark("front", _steps(by_standing[Standing.ON])),
        *(
            Mark(f"leader {frame.name}", leader, dot.color)
            for frame, placed in ((WIDE, wide), (NARROW, narrow))
            for dot, (_, leader) in zip(ordered, placed, strict=True)
        ),
        Mark("whiskers", intervals),
        Mark("ring", dots(by_standing[Standing.ON])),
        Mark("ring unclear", dots(by_standing[Standing.UNCLEAR])),
        *(mark for dot, at in drawn for mark in spots("spots", [(at, _across(dot))], dot.color)),
    )
    description = f"From left to right: {', '.join(names)}. The numbers are in the table below."
    labels = tuple(label for label, _ in (*wide, *narrow))
    return Plot(title, description, marks, x, y, x_name, labels)


def _across(dot: Dot) -> str:
    value = dot.value
    return f"{dot.name}: x {exact(value.x, value.low, value.high)}, y {exact(value.y)}"


def _steps(places: Sequence[Position]) -> str:
    """Return a step path, from left to right, through the points that are higher than before."""
    if not places:
        return ""
    rising = [places[0]]
    for place in places[1:]:
        if place[1] < rising[-1][1]:
            rising.append(place)
    first = f"M{rising[0][0]:g} {rising[0][1]:g}"
    return first + "".join(f"H{right[0]:g}V{right[1]:g}" for _, right in pairwise(rising))
