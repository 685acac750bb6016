"""The plots of where the time goes: bars of the parts of each model, and the tree as a map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seaformer.benchmark.breakdown.schema import Breakdown, Row
from seaformer.benchmark.results import ModelResult, Results
from seaformer.reporting.scale import Scale

COLORS = 6
"""How many parts have a colour of their own; the others share one. They are from the palette of
Okabe and Ito, which the colour-blind tell apart."""

OTHERS, UNATTRIBUTED, TAIL = "others", "unattributed", "tail"
"""Names of colours that are no numbers."""

MAP_SHAPE = 2.0
"""Width of a map over its height, on a wide page."""
_NAMED, _OPENED = (8.0, 5.0), (18.0, 20.0)
"""Per cent of the map's width and height that a module needs for its name, and for its parts."""


@dataclass(frozen=True)
class Segment:
    """A part of a bar.

    Attributes:
        row: the part.
        color: number of its colour, or the name of a special one.
        start_ms: where it begins.
        end_ms: where it ends.
        total_ms: of the model, which is 100 %.
    """

    row: Row
    color: int | str
    start_ms: float
    end_ms: float
    total_ms: float

    def start(self, unit: str) -> float:
        """Where it begins, in "ms" or in "%" of the model's time."""
        return self._in(unit, self.start_ms)

    def end(self, unit: str) -> float:
        """Where it ends, likewise."""
        return self._in(unit, self.end_ms)

    def value(self, unit: str) -> float:
        """How long it is, likewise."""
        return self._in(unit, self.end_ms - self.start_ms)

    def _in(self, unit: str, time_ms: float) -> float:
        return time_ms if unit == "ms" else 100 * time_ms / self.total_ms


@dataclass(frozen=True)
class Bar:
    """The parts of a model.

    Attributes:
        model: whose parts.
        breakdown: of the model.
        segments: from left to right; parts below 0 are in the table only.
        tree: the model as a map.
    """

    model: ModelResult
    breakdown: Breakdown
    segments: tuple[Segment, ...]
    tree: tuple["Node", ...]


@dataclass(frozen=True)
class Node:
    """A module in the map, its place in per cent of the module around it.

    Attributes:
        row: the module.
        color: as of a segment.
        left: of its corner.
        top: of its corner.
        width: of the surrounding module.
        height: of the surrounding module.
        is_named: whether there is room for a name.
        parts: what is drawn inside.
    """

    row: Row
    color: int | str
    left: float
    top: float
    width: float
    height: float
    is_named: bool
    parts: tuple["Node", ...]

    @property
    def name(self) -> str:
        """The title; of a module that is called by its number, with what it is a part of."""
        title = self.row.title
        return ".".join(self.row.path.split(".")[-2:]) if title.isdigit() else title


@dataclass(frozen=True)
class Modules:
    """The plots.

    Attributes:
        scale: of the bars, in milliseconds from 0.
        shares: of the bars, in per cent of each model's own time.
        legend: title and colour of each part.
        bars: a model each.
    """

    scale: Scale
    shares: Scale
    legend: tuple[tuple[str, int | str], ...]
    bars: tuple[Bar, ...]


def modules(results: Results) -> Modules | None:
    """Lay the plots out; None if no model has a breakdown that is of latencies."""
    found = [
        (model, model.breakdown)
        for model in results.models
        if model.breakdown is not None
        and not (model.breakdown.emulated or results.emulated)
        and model.latency is not None
    ]
    if not found:
        return None
    colors = _colors([row for _, breakdown in found for row in _parts(breakdown)])
    ends = [sum(_ms(row) for row in _parts(breakdown)) for _, breakdown in found]
    scale = Scale.over([0.0, *ends])
    legend: dict[str, int | str] = {}
    bars = []
    for model, breakdown in found:
        segments = _segments(breakdown, colors)
        for segment in segments:
            legend.setdefault(segment.row.title, segment.color)
        tree = _nodes(
            breakdown, breakdown.parts(""), colors, (100.0, 100.0 / MAP_SHAPE), (100.0, 100.0)
        )
        bars.append(Bar(model, breakdown, segments, tree))
    longest = max(one.end("%") for bar in bars for one in bar.segments)
    shares = Scale(0.0, max(100.0, longest), (0.0, 25.0, 50.0, 75.0, 100.0))
    return Modules(scale, shares, tuple(legend.items()), tuple(bars))


def _parts(breakdown: Breakdown) -> list[Row]:
    """What a bar is made of: the parts of the network, then what comes after it."""
    return [*breakdown.parts(""), *(row for row in breakdown.rows if row.kind == "tail")]


def _colors(rows: Iterable[Row]) -> dict[str, int | str]:
    """Path of each part -> its colour, the same in all models."""
    colors: dict[str, int | str] = {}
    for row in rows:
        if row.kind in (UNATTRIBUTED, TAIL):
            colors[row.path] = row.kind
        else:
            used = sum(isinstance(color, int) for color in colors.values())
            colors.setdefault(row.path, used if used < COLORS else OTHERS)
    return colors


def _segments(breakdown: Breakdown, colors: dict[str, int | str]) -> tuple[Segment, ...]:
    segments, end = [], 0.0
    for row in _parts(breakdown):
        start, end = end, end + _ms(row)
        if end > start:
            segments.append(Segment(row, colors[row.path], start, end, breakdown.total_ms))
    return tuple(segments)


def _nodes(
    breakdown: Breakdown,
    rows: Sequence[Row],
    colors: dict[str, int | str],
    sides: tuple[float, float],
    shares: tuple[float, float],
    color: int | str | None = None,
) -> tuple[Node, ...]:
    """Place rows in a rectangle.

    Args:
        breakdown: that they are of.
        rows: what to place, by their times.
        colors: of the parts of the network.
        sides: width and height of the rectangle, in any unit.
        shares: the same in per cent of the whole map.
        color: of the part that the rows are in; None for these parts themselves.
    """
    shown = sorted((row for row in rows if _ms(row) > 0), key=_ms, reverse=True)
    nodes = []
    for row, (x, y, width, height) in zip(
        shown, squarify([_ms(row) for row in shown], *sides), strict=True
    ):
        own = colors.get(row.path, OTHERS) if color is None else color
        across, down = shares[0] * width / sides[0], shares[1] * height / sides[1]
        is_opened = across >= _OPENED[0] and down >= _OPENED[1]
        inner = breakdown.parts(row.path) if is_opened else ()
        # A single part that is all of a module would only be a frame in a frame.
        while len(inner) == 1:
            inner = breakdown.parts(inner[0].path)
        nodes.append(
            Node(
                row=row,
                color=own,
                left=round(100 * x / sides[0], 3),
                top=round(100 * y / sides[1], 3),
                width=round(100 * width / sides[0], 3),
                height=round(100 * height / sides[1], 3),
                is_named=across >= _NAMED[0] and down >= _NAMED[1],
                parts=_nodes(breakdown, inner, colors, (width, height), (across, down), own),
            )
        )
    return tuple(nodes)


def squarify(
    sizes: Sequence[float], width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """Divide a rectangle into ones of given sizes that are as square as can be.

    Source: Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000.

    Args:
        sizes: above 0, largest first.
        width: of the rectangle.
        height: of the rectangle.

    Returns:
        x, y, width and height of each, which fill the rectangle.
    """
    unit = width * height / sum(sizes) if sizes else 0.0
    areas = [size * unit for size in sizes]
    placed: list[tuple[float, float, float, float]] = []
    x = y = 0.0
    while areas:
        side = min(width, height)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(
            areas[:count], side
        ):
            count += 1
        row, areas = areas[:count], areas[count:]
        thickness, along = sum(row) / side, 0.0
        for area in row:
            length = area / thickness
            if height <= width:
                placed.append((x, y + along, thickness, length))
            else:
                placed.append((x + along, y, length, thickness))
            along += length
        if height <= width:
            x, width = x + thickness, width - thickness
        else:
            y, height = y + thickness, height - thickness
    return placed


def _worst(areas: Sequence[float], side: float) -> float:
    """The longest of the rectangles of a row, as length over thickness or its inverse."""
    thickness = sum(areas) / side
    lengths = [area / thickness for area in areas]
    return max(max(length / thickness, thickness / length) for length in lengths)


def _ms(row: Row) -> float:
    return max(row.ms or 0.0, 0.0)
