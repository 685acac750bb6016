"""Plots of one number over another: lines that grow, or points with names.

As in `scale`, places are in per cent of the plot, which is stretched to the page. Names are text of
the page at places of their own: those beside lines are pushed apart, those of points are put where
no other one is, on the assumption of the smallest plot, that of a phone held upright.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from seaformer.reporting.scale import Scale

_DECADE = (1, 2, 5)
_MARGIN = 0.04
"""Of the axis beyond the outermost values, as a share of it."""

LABEL_GAP = 6.0
"""Height of a line of text, in per cent of the plot's."""
BADGE_WIDTH, BADGE_HEIGHT = 9.0, 6.5
"""Size of a point's number, in per cent of a plot 250 pixels wide and 360 high."""


@dataclass(frozen=True)
class LogScale:
    """A logarithmic axis; it answers as `Scale` does.

    Attributes:
        low: value at 0 %, above 0.
        high: value at 100 %.
        ticks: round values between them.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Iterable[float], ticks: Sequence[float] | None = None) -> "LogScale":
        """Make the axis that shows all the values.

        Args:
            values: one or more, above 0.
            ticks: to mark; None for 1, 2 and 5 of every power of ten, or 1 alone of many.
        """
        listed = [*values, *(ticks or ())]
        low, high = math.log10(min(listed)), math.log10(max(listed))
        margin = max(_MARGIN * (high - low), 0.02)
        low, high = low - margin, high + margin
        if ticks is None:
            steps = _DECADE if high - low < 3 else (1,)
            powers = range(math.floor(low), math.ceil(high) + 1)
            marks = [step * 10.0**power for power in powers for step in steps]
            ticks = [mark for mark in marks if low <= math.log10(mark) <= high]
        return cls(10**low, 10**high, tuple(ticks))

    def at(self, value: float) -> float:
        """The place of a value, in per cent; what lies outside is put on the nearer end."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def below(self, value: float) -> float:
        """The place of a value on a vertical axis, in per cent from the top."""
        return round(100 - self.at(value), 2)


@dataclass(frozen=True)
class Value:
    """A point of a line or of a scatter.

    Attributes:
        x: horizontal value.
        y: vertical value.
        low: lower end of its vertical interval, or of its horizontal one in a scatter.
        high: upper end likewise; both None without an interval.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes:
        name: beside its end.
        color: number of its colour, from 0.
        path: SVG path through its points.
        dots: SVG path of its points.
        whiskers: SVG path of their intervals; may be empty.
        end: place of its last point, in per cent from the left and from the top.
        label: place of its name likewise: at the right of the plot, or right behind the end of a
            line that ends before.
    """

    name: str
    color: int
    path: str
    dots: str
    whiskers: str
    end: tuple[float, float]
    label: tuple[float, float]


@dataclass(frozen=True)
class LinePlot:
    """Lines over both axes.

    Attributes:
        x: horizontal axis.
        y: vertical axis.
        lines: in the order they were given.
    """

    x: LogScale
    y: LogScale
    lines: tuple[Line, ...]


def line_plot(
    lines: Sequence[tuple[str, int, Sequence[Value]]], x_ticks: Sequence[float] | None = None
) -> LinePlot:
    """Lay lines out over two logarithmic axes.

    Args:
        lines: name, number of the colour, and points of each, one or more, from left to right.
        x_ticks: values to mark on the horizontal axis; None for round ones.
    """
    values = [value for _, _, points in lines for value in points]
    x = LogScale.over([value.x for value in values], x_ticks)
    y = LogScale.over(
        end for value in values for end in (value.y, value.low, value.high) if end is not None
    )
    ends = [(x.at(points[-1].x), y.below(points[-1].y)) for _, _, points in lines]
    rightmost = max(across for across, _ in ends)
    full = [place for place, (across, _) in enumerate(ends) if across == rightmost]
    moved = dict(zip(full, spread([ends[place][1] for place in full]), strict=True))
    labels = [(100.0, moved[place]) if place in moved else end for place, end in enumerate(ends)]
    return LinePlot(
        x,
        y,
        tuple(
            Line(
                name=name,
                color=color,
                path="M" + "L".join(f"{x.at(v.x):g} {y.below(v.y):g}" for v in points),
                dots="".join(f"M{x.at(v.x):g} {y.below(v.y):g}h0" for v in points),
                whiskers="".join(
                    f"M{x.at(v.x):g} {y.below(v.low):g}V{y.below(v.high):g}"
                    for v in points
                    if v.low is not None and v.high is not None
                ),
                end=end,
                label=label,
            )
            for (name, color, points), end, label in zip(lines, ends, labels, strict=True)
        ),
    )


def spread(places: Sequence[float], gap: float = LABEL_GAP) -> list[float]:
    """Push places on 0..100 apart, so that no two are nearer than `gap`; their order stays.

    Neighbours that are too near become a block around their mean, and blocks that touch one.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([index])
        while len(blocks) > 1 and _top(blocks[-1], places, gap) < _bottom(blocks[-2], places, gap):
            last = blocks.pop()
            blocks[-1] += last
    moved = [0.0] * len(places)
    for block in blocks:
        for step, index in enumerate(block):
            moved[index] = round(_top(block, places, gap) + (step + 0.5) * gap, 2)
    return moved


def _top(block: Sequence[int], places: Sequence[float], gap: float) -> float:
    middle = sum(places[index] for index in block) / len(block)
    height = gap * len(block)
    return min(max(middle - height / 2, 0.0), max(100.0 - height, 0.0))


def _bottom(block: Sequence[int], places: Sequence[float], gap: float) -> float:
    return _top(block, places, gap) + gap * len(block)


@dataclass(frozen=True)
class Dot:
    """A point of a scatter.

    Attributes:
        number: what it is called in the plot.
        name: what that stands for.
        color: number of its colour.
        x: place in per cent from the left.
        y: place in per cent from the top.
        interval: left and right end of its interval, in per cent; None without.
        badge: place of its number.
        is_on_front: whether no other point is both further left and higher.
    """

    number: int
    name: str
    color: int
    x: float
    y: float
    interval: tuple[float, float] | None
    badge: tuple[float, float]
    is_on_front: bool


@dataclass(frozen=True)
class Scatter:
    """Points over both axes.

    Attributes:
        x: horizontal axis.
        y: vertical axis.
        dots: from left to right.
        front: SVG path of steps through the points that no other one beats in both; may be empty.
    """

    x: LogScale
    y: Scale
    dots: tuple[Dot, ...]
    front: str


def scatter(points: Sequence[tuple[str, int, Value]]) -> Scatter:
    """Lay points out, less being better on the logarithmic horizontal axis and more on the other.

    Args:
        points: name, number of the colour, and where it is, of each; one or more.
    """
    ordered = sorted(points, key=lambda point: point[2].x)
    values = [value for _, _, value in ordered]
    x = LogScale.over(
        end for value in values for end in (value.x, value.low, value.high) if end is not None
    )
    y = Scale.over((value.y for value in values), least=1.0)
    front = pareto_front(values)
    places = [(x.at(value.x), y.below(value.y)) for value in values]
    badges = _badges(places)
    dots = tuple(
        Dot(
            number=place + 1,
            name=name,
            color=color,
            x=places[place][0],
            y=places[place][1],
            interval=None
            if value.low is None or value.high is None
            else (x.at(value.low), x.at(value.high)),
            badge=badges[place],
            is_on_front=place in front,
        )
        for place, (name, color, value) in enumerate(ordered)
    )
    return Scatter(x, y, dots, _steps([places[place] for place in front]))


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
    if not places:
        return ""
    first = f"M{places[0][0]:g} {places[0][1]:g}"
    return first + "".join(f"H{right[0]:g}V{right[1]:g}" for _, right in pairwise(places))


def _badges(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Put every number beside its dot: at the first place where it covers no dot or number."""
    taken: list[tuple[float, float]] = []
    for x, y in places:
        options = [
            (x + right * BADGE_WIDTH * reach, y + down * BADGE_HEIGHT * reach)
            for reach in (1.0, 1.7, 2.4)
            for right, down in (
                (0, -1),
                (0, 1),
                (1, 0),
                (-1, 0),
                (1, -1),
                (-1, 1),
                (1, 1),
                (-1, -1),
            )
        ]
        inside = [one for one in options if 0 <= one[0] <= 100 and 0 <= one[1] <= 100]
        others = [place for place in places if place != (x, y)]
        free = (one for one in inside if not any(_meet(one, other) for other in [*taken, *others]))
        best = next(free, (x, y))
        taken.append((round(best[0], 2), round(best[1], 2)))
    return taken


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < BADGE_WIDTH and abs(one[1] - other[1]) < BADGE_HEIGHT
