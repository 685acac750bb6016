"""The page of many benchmarks: latency by model and device, and how it changed over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.conditions import conditions
from seaformer.benchmark.report.series import Point, Series, device_name, series_of
from seaformer.benchmark.results.comparison import BETWEEN, CONFIDENCE
from seaformer.reporting.numbers import estimate, exact, milliseconds, tick
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Mark, Plot, Position, Row, Rows, bracket, line, spots, upright
from seaformer.reporting.scale import Scale
from seaformer.reporting.verdicts import changed_latency, joined
from seaformer.statistics.bootstrap import Ratio, Summary

_NAMED = 3
"""Largest number of series with a sentence each; more are counted."""

_LEAST_CHANGE = 0.02
"""Smallest length of an axis of latency over time, as a share of the latency, so that noise does
not look like a change."""

_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
"""Units of the axis of time, longest first, with their seconds; at least two of them are shown."""


@dataclass(frozen=True)
class Group:
    """The series of one model.

    Attributes:
        model: display name of the model.
        series: its series.
        latest: latest latencies, a row for each series with a latency; None without any.
        over_time: latencies over time, for series with several latencies; None without any.
    """

    model: str
    series: tuple[Series, ...]
    latest: Rows | None
    over_time: Rows | None


@dataclass(frozen=True)
class HistoryPage(Page, template="history.html"):
    """The page of many benchmarks.

    Attributes:
        groups: the models.
        devices: number of devices.
        benchmarks: number of benchmarks.
        days: date of the first and of the last benchmark, in UTC.
        skipped: files that were not used, and problems, as sentences.
        names: name of each device, with the number of its benchmarks.
        facts: name of each condition -> its value in the latest benchmark of each device.
        between: relative difference that intervals do not cover.
        confidence: confidence level of the ratios, 0..1.
    """

    groups: list[Group]
    devices: int
    benchmarks: int
    days: tuple[str, str]
    skipped: Sequence[str]
    names: list[str]
    facts: dict[str, list[str]]
    between: float = BETWEEN
    confidence: float = CONFIDENCE


def write_history(
    path: Path, sources: Sequence[Source], skipped: Sequence[str], command: str
) -> None:
    """Render the page of one or more benchmarks and write it, replacing the file.

    Args:
        path: path of the page.
        sources: the benchmarks, in any order.
        skipped: files that were not used, and problems, as sentences.
        command: the command line, to make the page again.

    Raises:
        OSError: the file cannot be written.
    """
    every = series_of(sources)
    groups = [
        _group(model, tuple(one for one in every if one.model == model))
        for model in dict.fromkeys(one.model for one in every)
    ]
    by_device: dict[str, list[Source]] = {}
    for source in sorted(sources, key=lambda one: one.results.created_at.timestamp()):
        by_device.setdefault(source.results.device.identity, []).append(source)
    moments = [one.results.created_at for one in sources]
    page = HistoryPage(
        verdict=_verdict(every),
        commands=[Command(command)],
        groups=groups,
        devices=len(by_device),
        benchmarks=len(sources),
        days=(_day(min(moments)), _day(max(moments))),
        skipped=skipped,
        names=[
            f"{device_name(own[-1].results)}, latest of {len(own)}" for own in by_device.values()
        ],
        facts=conditions([own[-1].results for own in by_device.values()]),
    )
    page.write(path)


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _verdict(every: Sequence[Series]) -> list[str]:
    """State the latest change of each series, or its latency if there is only one."""
    repeated = [one for one in every if len(one.with_latency) > 1]
    single = [one for one in every if len(one.with_latency) == 1]
    if not repeated and not single:
        return ["No latency can be stated: no benchmark measured one on a real device."]
    sentences = []
    if repeated:
        ratios = {one.name: one.with_latency[-1].to_previous for one in repeated}
        sentences += _changes(ratios, "in the previous benchmark")
    if any(len(one.with_latency) > 2 for one in repeated):
        ratios = {one.name: one.with_latency[-1].to_first for one in repeated}
        sentences += _changes(ratios, "in the first benchmark")
    if len(single) <= _NAMED:
        sentences += [f"{one.name} takes {_time(one.with_latency[-1])}." for one in single]
    else:
        first, *_, last = sorted(single, key=lambda one: _run(one.with_latency[-1]).median_ms)
        sentences.append(
            f"{len(single)} latencies were measured once, from {_time(first.with_latency[-1])} of "
            f"{first.name} to {_time(last.with_latency[-1])} of {last.name}."
        )
    return sentences


def _changes(ratios: Mapping[str, Ratio | None], base: str) -> list[str]:
    """State which latest latencies differ from an earlier one."""
    decided = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    if len(decided) <= _NAMED:
        return [
            changed_latency(name, "now", base, ratio, BETWEEN) for name, ratio in decided.items()
        ]
    verdicts = {name: ratio.verdict(BETWEEN) for name, ratio in decided.items()}
    faster, slower = (
        [name for name, found in verdicts.items() if found == verdict]
        for verdict in ("faster", "slower")
    )
    which = f" ({joined(slower)})" if 0 < len(slower) <= _NAMED else ""
    return [
        f"Of {len(decided)} models on devices, {len(faster)} became faster and {len(slower)} "
        f"slower{which} than {base}; for {len(decided) - len(faster) - len(slower)}, no difference "
        "can be stated."
    ]


def _group(model: str, series: tuple[Series, ...]) -> Group:
    return Group(model, series, _latest(series), _over_time(series))


def _latest(series: Sequence[Series]) -> Rows | None:
    """Draw the latest latency of each series, with its interval."""
    drawn = [(one, _run(one.with_latency[-1])) for one in series if one.with_latency]
    if not drawn:
        return None
    scale = Scale.over([0.0, *(end for _, run in drawn for end in _ends(run))])
    rows = tuple(
        Row(
            one.device,
            one.setting,
            _latest_plot(one, run, scale),
        )
        for one, run in drawn
    )
    return Rows(scale, "ms", 26, rows)


def _latest_plot(one: Series, run: Summary, scale: Scale) -> Plot:
    text = f"{estimate(run.median_ms, run.interval_ms)} ms"
    low, *_, high = _ends(run)
    marks = (
        Mark("whisker", bracket((scale.at(low), scale.at(high)), 50, 25)),
        *spots("dots estimate", [((scale.at(run.median_ms), 50), f"{one.device}: {text}")]),
    )
    return Plot(f"latest latency of {one.name}", text, marks, scale)


def _over_time(series: Sequence[Series]) -> Rows | None:
    """Draw each series with several latencies over a common axis of time."""
    drawn = [one for one in series if len(one.with_latency) > 1]
    if not drawn:
        return None
    moments = [_seconds(point) for one in drawn for point in one.with_latency]
    start, span_s = min(moments), max(moments) - min(moments)
    unit, unit_s = next((one for one in _UNITS if span_s >= 2 * one[1]), _UNITS[-1])
    time = Scale.over([0.0, span_s / unit_s], ticks=6, least=1.0)
    rows = tuple(
        Row(one.device, f"ms; {one.setting}", _time_plot(one, time, start, unit, unit_s))
        for one in drawn
    )
    first = datetime.fromtimestamp(start, UTC)
    return Rows(time, f"{unit} since {first:%Y-%m-%d %H:%M} UTC", 110, rows)


def _time_plot(one: Series, time: Scale, start: float, unit: str, unit_s: float) -> Plot:
    runs = [_run(point) for point in one.with_latency]
    values = [end for run in runs for end in _ends(run)]
    scale = Scale.over(values, ticks=4, least=_LEAST_CHANGE * runs[-1].median_ms)
    places = [time.at((_seconds(point) - start) / unit_s) for point in one.with_latency]
    shown: list[tuple[Position, str]] = [
        ((place, scale.below(run.median_ms)), f"{point.measured_at}: {_exact(run)} ms")
        for place, point, run in zip(places, one.with_latency, runs, strict=True)
    ]
    intervals = "".join(
        upright(place, scale.below(high), scale.below(low))
        for place, run in zip(places, runs, strict=True)
        for low, *_, high in [_ends(run)]
    )
    marks = (
        Mark("way", line(position for position, _ in shown)),
        Mark("whiskers", intervals),
        *spots("dots", shown),
    )
    description = (
        f"{len(runs)} benchmarks over {tick(round(time.high, 2))} {unit}, from "
        f"{milliseconds(runs[0].median_ms)} to {milliseconds(runs[-1].median_ms)} ms. All numbers "
        "are in the table below."
    )
    return Plot(f"latency of {one.name} over time", description, marks, time, scale)


def _run(point: Point) -> Summary:
    latency = point.model.latency
    assert latency is not None
    assert latency.run is not None
    return latency.run


def _ends(run: Summary) -> tuple[float, ...]:
    """Return the median between the ends of its interval, if it has one."""
    ends = run.interval_ms
    return (run.median_ms,) if ends is None else (ends.low, run.median_ms, ends.high)


def _exact(run: Summary) -> str:
    ends = run.interval_ms
    return exact(run.median_ms) if ends is None else exact(run.median_ms, ends.low, ends.high)


def _time(point: Point) -> str:
    run = _run(point)
    low, *_, high = _ends(run)
    within = f" ({milliseconds(low)} to {milliseconds(high)})" if run.interval_ms else ""
    return f"{milliseconds(run.median_ms)} ms{within}"


def _seconds(point: Point) -> float:
    return point.source.results.created_at.timestamp()
