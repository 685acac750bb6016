"""The plot of what changed while it was measured: times, clock and temperature, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from seaformer.benchmark.results import Results, Round
from seaformer.benchmark.runner.record import Block
from seaformer.reporting.scale import Scale, dots, line

_LEAST_TIME = 2.0
"""Per cent of the median; as in the distribution, rounding is no drift."""
_LEAST_CLOCK_GHZ = 0.2
_LEAST_TEMPERATURE_C = 2.0


@dataclass(frozen=True)
class Moment:
    """A block of runs, as a line of the table.

    Attributes:
        seconds: from the first block to the start of this one.
        round: its round.
        model: id of its model.
        used: whether its runs count.
        throttled: how it was seen that the device throttled; None if it did not.
        median_ms: of its runs.
        deviation: per cent by which that is above the median of all the model's blocks that count.
        block: the raw data.
    """

    seconds: float
    round: int
    model: str
    used: bool
    throttled: str | None
    median_ms: float
    deviation: float
    block: Block


@dataclass(frozen=True)
class Line:
    """One thing that was followed. Paths are SVG's, in per cent of the panel.

    Attributes:
        line: through all of it.
        dots: at the moments that count.
        unused: at those that do not.
    """

    line: str
    dots: str
    unused: str = ""


@dataclass(frozen=True)
class Panel:
    """A part of the plot, above or below others with the same axis of time.

    Attributes:
        title: what it shows.
        model: id of the model it is about; None for the device.
        unit: of its values.
        scale: of its values.
        values: what is drawn.
    """

    title: str
    model: str | None
    unit: str
    scale: Scale
    values: Line


@dataclass(frozen=True)
class Drift:
    """The plot.

    Attributes:
        time: seconds since the first block.
        panels: times of each model, then the device.
        missing: what the device does not show.
        moments: every block in the order of time.
    """

    time: Scale
    panels: tuple[Panel, ...]
    missing: tuple[str, ...]
    moments: tuple[Moment, ...]


def drift(results: Results) -> Drift | None:
    """Lay the plot out; None if no block is of a time that is a latency."""
    measured = [model.id for model in results.models if model.latency is not None]
    rounds = [one for one in results.rounds if one.purpose == "measure"]
    moments = _moments(rounds, measured)
    if not moments:
        return None
    origin_ns = min(moment.block.started_ns for moment in moments)
    time = Scale.over([0.0, *(moment.seconds for moment in moments)], ticks=6, least=1.0)
    deviations = [moment.deviation for moment in moments]
    scale = Scale.over([0.0, *deviations], ticks=4, least=_LEAST_TIME)
    panels = [
        Panel("time", model, "%", scale, _times(moments, model, time, scale))
        for model in measured
        if any(moment.model == model for moment in moments)
    ]
    blocks = [moment.block for moment in moments]
    clock = [
        (_seconds(at, origin_ns), khz / 1e6)
        for block in blocks
        for at, khz in (
            (block.started_ns, block.frequency_khz_before),
            (_end_ns(block), block.frequency_khz_after),
        )
        if khz is not None
    ]
    sensors = [
        (_seconds(at, origin_ns), celsius)
        for block in blocks
        for at, celsius in (
            (block.started_ns, block.temperature_c_before),
            (_end_ns(block), block.temperature_c_after),
        )
        if celsius is not None
    ]
    skin = [
        (_seconds(max(map(_end_ns, one.blocks)), origin_ns), one.conditions_after.temperature_c)
        for one in rounds
        if one.blocks
        and one.conditions_after is not None
        and one.conditions_after.temperature_c is not None
    ]
    missing = []
    for title, unit, points, least in (
        ("clock of the core", "GHz", clock, _LEAST_CLOCK_GHZ),
        ("hottest sensor", "°C", sensors, _LEAST_TEMPERATURE_C),
        ("skin or battery", "°C", skin, _LEAST_TEMPERATURE_C),
    ):
        if points:
            panels.append(_panel(title, unit, points, least, time))
        else:
            missing.append(title)
    return Drift(time, tuple(panels), tuple(missing), tuple(moments))


def _moments(rounds: Sequence[Round], models: Sequence[str]) -> list[Moment]:
    pairs = [
        (one, block)
        for one in rounds
        for block in one.blocks
        if block.model in models and block.durations_ns
    ]
    if not pairs:
        return []
    first_ns = min(block.started_ns for _, block in pairs)
    usual = {}
    for model in models:
        own = [
            (one.used, median(block.durations_ns)) for one, block in pairs if block.model == model
        ]
        if own:
            usual[model] = median([value for used, value in own if used] or [v for _, v in own])
    moments = [
        Moment(
            seconds=_seconds(block.started_ns, first_ns),
            round=one.index,
            model=block.model,
            used=one.used,
            throttled=one.throttled,
            median_ms=median(block.durations_ns) / 1e6,
            deviation=100 * (median(block.durations_ns) / usual[block.model] - 1),
            block=block,
        )
        for one, block in pairs
    ]
    return sorted(moments, key=lambda moment: moment.seconds)


def _times(moments: Sequence[Moment], model: str, time: Scale, scale: Scale) -> Line:
    def places(own: Sequence[Moment]) -> list[tuple[float, float]]:
        return [(time.at(one.seconds), scale.below(one.deviation)) for one in own]

    own = [moment for moment in moments if moment.model == model]
    return Line(
        line=line(places(own)),
        dots=dots(places([moment for moment in own if moment.used])),
        unused=dots(places([moment for moment in own if not moment.used])),
    )


def _panel(
    title: str, unit: str, points: Sequence[tuple[float, float]], least: float, time: Scale
) -> Panel:
    scale = Scale.over([value for _, value in points], ticks=4, least=least)
    places = [(time.at(seconds), scale.below(value)) for seconds, value in sorted(points)]
    return Panel(title, None, unit, scale, Line(line(places), dots(places)))


def _end_ns(block: Block) -> int:
    return block.started_ns + sum(block.durations_ns)


def _seconds(at_ns: int, origin_ns: int) -> float:
    return (at_ns - origin_ns) / 1e9
