"""The plot of every run: the distribution of each model's latencies, in chronological order."""

import numpy as np

from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import Results
from seaformer.reporting.numbers import exact, median, milliseconds
from seaformer.reporting.plots import (
    Mark,
    Plot,
    Position,
    Row,
    Rows,
    box,
    bracket,
    spots,
    upright,
)
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Summary

_REACH = 3.0
"""Limits of the axis, in multiples of the distances of p10 and p90 from the median. A single
outlier would otherwise squeeze all other runs into a line; outliers are counted and drawn at the
edge."""

_LEAST = 2.0
"""Smallest length of the axis in percent, so that rounding does not look like spread."""


def distribution(results: Results) -> Rows | None:
    """Draw a row for each model with individual runs, relative to its median.

    The band contains the middle 80 % of the runs, the bracket is the interval of the median. None
    without individual runs, and if the device is emulated.
    """
    names = results.names
    measured = [
        (names[model.id], model.latency.run, np.concatenate(run_times(results.rounds, model.id)))
        for model in results.models
        if model.latency is not None and model.latency.run is not None
    ]
    if not measured:
        return None
    ends = [0.0]
    for _, summary, runs in measured:
        middle = summary.median_ms
        low = middle - _REACH * (middle - summary.p10_ms)
        high = middle + _REACH * (summary.p90_ms - middle)
        shown = (max(low, runs.min()), min(high, runs.max()))
        ends += [_relative(float(value), summary) for value in shown]
    scale = Scale.over(ends, least=_LEAST)
    rows = tuple(_row(*one, scale) for one in measured)
    return Rows(scale, "% above or below the model's median", 56, rows)


def _row(name: str, summary: Summary, runs: np.ndarray, scale: Scale) -> Row:
    points: dict[bool, list[tuple[Position, str]]] = {True: [], False: []}
    for order, run in enumerate(runs):
        value = _relative(run, summary)
        height = round(8 + 84 * (order + 0.5) / len(runs), 2)
        title = f"run {order + 1}: {exact(run)} ms, {value:+.2f} %"
        points[scale.holds(value)].append(((scale.at(value), height), title))

    def ends(low_ms: float, high_ms: float) -> tuple[float, float]:
        return scale.at(_relative(low_ms, summary)), scale.at(_relative(high_ms, summary))

    interval = summary.interval_ms
    beyond = len(points[False])
    note = f"median {milliseconds(summary.median_ms)} ms, {summary.runs} runs"
    plot = Plot(
        title=f"Runs of {name}",
        description=(
            f"Median {median(summary)} ms; p10 {milliseconds(summary.p10_ms)}, p90 "
            f"{milliseconds(summary.p90_ms)}; range {milliseconds(summary.min_ms)} to "
            f"{milliseconds(summary.max_ms)} ms."
        ),
        marks=(
            Mark("band", box(*ends(summary.p10_ms, summary.p90_ms))),
            Mark("zero", upright(scale.at(0))),
            *spots("dots small", points[True]),
            *spots("dots beyond", points[False]),
            Mark(
                "whisker",
                "" if interval is None else bracket(ends(interval.low, interval.high), 94, 8),
            ),
        ),
        x=scale,
    )
    return Row(name, note + (f", {beyond} outside the axis" if beyond else ""), plot)


def _relative(time_ms: float, summary: Summary) -> float:
    return 100 * (time_ms / summary.median_ms - 1)
