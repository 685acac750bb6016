"""The plot of drift during a benchmark: latency, clock and temperature of each block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from seaformer.benchmark.results.schema import Results, Round
from seaformer.benchmark.runner.record import Block
from seaformer.reporting.numbers import exact, tick
from seaformer.reporting.plots import Mark, Plot, Position, Row, Rows, across, line, spots
from seaformer.reporting.scale import Scale

_LEAST_TIME = 2.0
"""Smallest axis length in percent of the median, so that rounding does not look like drift."""
_LEAST_CLOCK_GHZ = 0.2
_LEAST_TEMPERATURE_C = 2.0


@dataclass(frozen=True)
class Moment:
    """A block of runs, a row of the table.

    Attributes:
        seconds: time from the first block to the start of this one.
        round: its round, which may be excluded.
        block: the raw data.
        median_ms: median of its runs.
        deviation: deviation of `median_ms` from the median of the model's used blocks, in percent.
    """

    seconds: float
    round: Round
    block: Block
    median_ms: float
    deviation: float


@dataclass(frozen=True)
class Drift:
    """The plot and its data.

    Attributes:
        plot: latency of each model, then the device, over the seconds since the first block.
        missing: names of the quantities that the device does not report.
        moments: every block in chronological order.
    """

    plot: Rows
    missing: tuple[str, ...]
    moments: tuple[Moment, ...]


def drift(results: Results) -> Drift | None:
    """Draw the plot; None without blocks, and if the device is emulated."""
    names = results.names
    measured = [model.id for model in results.models if model.latency is not None]
    rounds = [one for one in results.rounds if one.purpose == "measure"]
    moments = _moments(rounds, measured)
    if not moments:
        return None
    time = Scale.over([0.0, *(moment.seconds for moment in moments)], ticks=6, least=1.0)
    deviations = [moment.deviation for moment in moments]
    scale = Scale.over([0.0, *deviations], ticks=4, least=_LEAST_TIME)
    rows = [
        _latency_row(names[model], own, time, scale)
        for model in measured
        if (own := [moment for moment in moments if moment.block.model == model])
    ]
    missing = []
    for title, unit, least, points in _device_values(rounds, moments):
        if points:
            rows.append(_device_row(title, unit, least, points, time))
        else:
            missing.append(title)
    plot = Rows(time, "seconds since the first block", 76, tuple(rows))
    return Drift(plot, tuple(missing), tuple(moments))


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
    medians_ns: dict[str, dict[bool, list[float]]] = {}
    for one, block in pairs:
        own = medians_ns.setdefault(block.model, {True: [], False: []})
        own[one.used].append(median(block.durations_ns))
    usual = {model: median(own[True] or own[False]) for model, own in medians_ns.items()}
    moments = [
        Moment(
            seconds=_seconds(block.started_ns, first_ns),
            round=one,
            block=block,
            median_ms=median(block.durations_ns) / 1e6,
            deviation=100 * (median(block.durations_ns) / usual[block.model] - 1),
        )
        for one, block in pairs
    ]
    return sorted(moments, key=lambda moment: moment.seconds)


def _device_values(
    rounds: Sequence[Round], moments: Sequence[Moment]
) -> Iterator[tuple[str, str, float, list[tuple[float, float]]]]:
    """Yield title, unit, smallest axis length, and (seconds, value) pairs of device quantities."""
    blocks = [moment.block for moment in moments]
    origin_ns = min(block.started_ns for block in blocks)
    ends = [
        *((one.started_ns, one.frequency_khz_before, one.temperature_c_before) for one in blocks),
        *((_end_ns(one), one.frequency_khz_after, one.temperature_c_after) for one in blocks),
    ]
    clock = [(_seconds(at_ns, origin_ns), khz / 1e6) for at_ns, khz, _ in ends if khz is not None]
    yield "clock of the core", "GHz", _LEAST_CLOCK_GHZ, clock
    sensors = [(_seconds(at_ns, origin_ns), value) for at_ns, _, value in ends if value is not None]
    yield "hottest sensor", "°C", _LEAST_TEMPERATURE_C, sensors
    skin = [
        (_seconds(max(map(_end_ns, one.blocks)), origin_ns), one.conditions_after.temperature_c)
        for one in rounds
        if one.blocks
        and one.conditions_after is not None
        and one.conditions_after.temperature_c is not None
    ]
    yield "skin or battery", "°C", _LEAST_TEMPERATURE_C, skin


def _latency_row(name: str, own: Sequence[Moment], time: Scale, scale: Scale) -> Row:
    counted, unused = ([one for one in own if one.round.used is used] for used in (True, False))

    def points(moments: Sequence[Moment]) -> list[tuple[Position, str]]:
        return [
            (
                (time.at(one.seconds), scale.below(one.deviation)),
                f"round {one.round.index}, {one.seconds:.2f} s: {exact(one.median_ms)} ms, "
                f"{one.deviation:+.2f} %",
            )
            for one in moments
        ]

    marks = (
        Mark("zero", across(scale.below(0))),
        Mark("way", line(position for position, _ in points(own))),
        *spots("dots", points(counted)),
        *spots("dots unused", points(unused)),
    )
    return Row(name, "latency, % from its median", _plot(name, "%", marks, time, scale))


def _device_row(
    title: str, unit: str, least: float, points: Sequence[tuple[float, float]], time: Scale
) -> Row:
    scale = Scale.over([value for _, value in points], ticks=4, least=least)
    shown = [
        ((time.at(seconds), scale.below(value)), f"{seconds:.2f} s: {exact(value)} {unit}")
        for seconds, value in sorted(points)
    ]
    marks = (Mark("way", line(position for position, _ in shown)), *spots("dots", shown))
    return Row(title, unit, _plot(title, unit, marks, time, scale))


def _plot(what: str, unit: str, marks: tuple[Mark, ...], time: Scale, scale: Scale) -> Plot:
    description = (
        f"Between {tick(scale.low)} and {tick(scale.high)} {unit} over {tick(time.high)} seconds. "
        "Every block is in the table below."
    )
    return Plot(f"{what} over time", description, marks, time, scale)


def _end_ns(block: Block) -> int:
    return block.started_ns + sum(block.durations_ns)


def _seconds(at_ns: int, origin_ns: int) -> float:
    return (at_ns - origin_ns) / 1e9
