"""The plot of every run: how the times of each model spread, and in which order they came."""

from dataclasses import dataclass

import numpy as np

from seaformer.benchmark.results import ModelResult, Results
from seaformer.benchmark.summary import run_times
from seaformer.reporting.scale import Scale, dots
from seaformer.statistics.bootstrap import Summary

_REACH = 3.0
"""How far the axis goes, in distances of the p10 and the p90 from the median. A run that the system
held up for long would squeeze all others into a line; those beyond are counted and drawn at the
edge."""

_LEAST = 2.0
"""Per cent that the axis is long at least: rounding is no spread."""


@dataclass(frozen=True)
class Spread:
    """The runs of a model, relative to their median. Places are in per cent of the plot.

    Attributes:
        model: whose runs.
        summary: of them.
        runs: SVG path of a dot for each, from left to right by time, from top to bottom by order.
        beyond: SVG path of those that the axis does not reach.
        beyond_count: how many those are.
        box: from where to where the middle 80 % of them lie.
        interval: that of the median; None without one.
    """

    model: ModelResult
    summary: Summary
    runs: str
    beyond: str
    beyond_count: int
    box: tuple[float, float]
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Distribution:
    """The plot.

    Attributes:
        scale: in per cent of each model's median, 0 at the median.
        rows: one for each model with single runs.
    """

    scale: Scale
    rows: tuple[Spread, ...]


def distribution(results: Results) -> Distribution | None:
    """Lay the plot out; None if there is no single run, or none that is a latency."""
    measured = [
        (model, model.latency.run, np.concatenate(run_times(results.rounds, model.id)))
        for model in results.models
        if model.latency is not None and model.latency.run is not None
    ]
    if not measured:
        return None
    ends = [0.0]
    for _, summary, runs in measured:
        median = summary.median_ms
        low = median - _REACH * (median - summary.p10_ms)
        high = median + _REACH * (summary.p90_ms - median)
        shown = (max(low, runs.min()), min(high, runs.max()))
        ends += [_relative(float(value), summary) for value in shown]
    scale = Scale.over(ends, least=_LEAST)
    return Distribution(scale, tuple(_spread(*one, scale) for one in measured))


def _spread(model: ModelResult, summary: Summary, runs: np.ndarray, scale: Scale) -> Spread:
    places: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for order, run in enumerate(runs):
        value = _relative(run, summary)
        height = round(8 + 84 * (order + 0.5) / len(runs), 2)
        places[scale.holds(value)].append((scale.at(value), height))
    interval = summary.interval_ms
    return Spread(
        model=model,
        summary=summary,
        runs=dots(places[True]),
        beyond=dots(places[False]),
        beyond_count=len(places[False]),
        box=(
            scale.at(_relative(summary.p10_ms, summary)),
            scale.at(_relative(summary.p90_ms, summary)),
        ),
        interval=None
        if interval is None
        else (
            scale.at(_relative(interval.low, summary)),
            scale.at(_relative(interval.high, summary)),
        ),
    )


def _relative(time_ms: float, summary: Summary) -> float:
    return 100 * (time_ms / summary.median_ms - 1)
