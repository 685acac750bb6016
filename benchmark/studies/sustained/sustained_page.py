"""The page of sustained runs: latency, clock, temperature and thermal status over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.studies.sustained.sustained_results import (
    Moment,
    SustainedModel,
    SustainedResults,
)
from seaformer.benchmark.studies.sustained.sustained_table import cells, headings
from seaformer.reporting.numbers import exact, milliseconds, number, percent, tick
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Mark, Plot, Row, Rows, line, spots, upright
from seaformer.reporting.scale import Scale
from seaformer.reporting.verdicts import fastest
from seaformer.statistics.bootstrap import Ratio, separate_ratio

HEIGHT = 90
"""Height of a plot in pixels."""


@dataclass(frozen=True)
class Quantity:
    """A quantity over time; `least` is the smallest length of its axis.

    Its axis starts at 0 if `has_zero`.
    """

    title: str
    unit: str
    least: float
    value: Callable[[Moment], float | None]
    has_zero: bool = False


MISSED = Quantity("missed frames", "per second", 1.0, lambda one: one.missed_frames, True)
"""For runs with a frame rate."""

QUANTITIES = (
    Quantity("latency", "ms", 0.1, lambda one: one.median_ms),
    Quantity("clock", "GHz", 0.2, lambda one: one.clock_khz and one.clock_khz / 1e6),
    Quantity("hottest sensor", "°C", 2.0, lambda one: one.temperature_c),
    Quantity("thermal status", "0 none to 6 shutdown", 1.0, lambda one: one.thermal_status, True),
)
"""Plots of a model, from top to bottom; those without values are omitted."""


@dataclass(frozen=True)
class SustainedPage(Page, template="sustained.html"):
    """The page of sustained runs.

    Attributes:
        headings: headings of the table.
        rows: models, with their cells.
        series: models, each with its plots over time; empty on an emulated device.
    """

    results: SustainedResults
    headings: tuple[str, ...]
    rows: list[tuple[SustainedModel, tuple[str, ...]]]
    series: list[tuple[SustainedModel, Rows]]


def write_sustained_page(path: Path, results: SustainedResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    drawn = [model for model in results.models if model.curve and not results.emulated]
    page = SustainedPage(
        verdict=verdict(results),
        commands=[Command(results.command)],
        results=results,
        headings=headings(results),
        rows=[(model, cells(model, results)) for model in results.models],
        series=[(model, _plots(model)) for model in drawn],
    )
    page.write(path)


def verdict(results: SustainedResults) -> list[str]:
    """State the steady-state latency and the slowdown of each model, and the fastest model."""
    if results.emulated:
        return ["No latency can be stated: the processor is emulated."]
    sentences = [_of_model(model) for model in results.models if model.place is not None]
    steady = {model.title: model.steady for model in results.models if model.steady is not None}
    if len(steady) > 1:

        def ratio(one: str, base: str) -> Ratio:
            return separate_ratio(steady[one].times, steady[base].times)

        medians = {title: one.times.median_ms for title, one in steady.items()}
        sentences += [f"When steady: {text}" for text in fastest(medians, ratio)]
    return sentences or ["No model ran."]


def _of_model(model: SustainedModel) -> str:
    if model.steady is None:
        return f"{model.title} did not reach a steady state in {number(model.ran_s, 0)} s."
    steady, interval = model.steady, model.steady.times.interval_ms
    ends = f" ({milliseconds(interval.low)} to {milliseconds(interval.high)})" if interval else ""
    text = (
        f"{model.title} settles at {milliseconds(steady.times.median_ms)} ms{ends} after "
        f"{number(steady.from_s, 0)} s"
    )
    if model.slowdown is not None:
        text += f", {number(model.slowdown, 2)}x its first second"
    if steady.missed_share is not None:
        text += f", and then misses {percent(steady.missed_share, 1)} % of the frames"
    return f"{text}."


def _plots(model: SustainedModel) -> Rows:
    time = Scale.over([0.0, *(moment.seconds for moment in model.curve)], ticks=6, least=1.0)
    rows = []
    for quantity in (*QUANTITIES, *(MISSED,) * (model.missed_frames is not None)):
        points = [
            (moment.seconds, value)
            for moment in model.curve
            if (value := quantity.value(moment)) is not None
        ]
        if points:
            rows.append(_row(model, quantity, points, time))
    return Rows(time, "seconds", HEIGHT, tuple(rows))


def _row(
    model: SustainedModel, quantity: Quantity, points: Sequence[tuple[float, float]], time: Scale
) -> Row:
    values = [value for _, value in points]
    scale = Scale.over([*values, *[0.0] * quantity.has_zero], ticks=4, least=quantity.least)
    shown = [
        (
            (time.at(seconds), scale.below(value)),
            f"{seconds:.1f} s: {exact(value)} {quantity.unit}",
        )
        for seconds, value in points
    ]
    marks = [Mark("way", line(position for position, _ in shown)), *spots("dots", shown)]
    if model.steady is not None:
        marks.append(Mark("zero", upright(time.at(model.steady.from_s))))
    description = (
        f"Between {tick(scale.low)} and {tick(scale.high)} {quantity.unit} over "
        f"{tick(round(points[-1][0]))} seconds. The numbers are in the table below."
    )
    plot = Plot(f"{quantity.title} over time", description, tuple(marks), time, scale)
    return Row(quantity.title, quantity.unit, plot)
