"""Sustained runs on the terminal and as CSV."""

from seaformer.benchmark.presentation.csv_text import csv_text
from seaformer.benchmark.presentation.paper_table import NOT_MEASURED, WRONG
from seaformer.benchmark.studies.long_runs import print_long_runs
from seaformer.benchmark.studies.sustained.sustained_results import (
    SustainedModel,
    SustainedResults,
)
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, median, milliseconds, number, percent


def headings(results: SustainedResults) -> tuple[str, ...]:
    """Return the headings of the table, on the terminal and on the page."""
    unit = "emulated, NO LATENCY" if results.emulated else "ms"
    frames = ("frames missed", "missed when steady") if results.frame_rate is not None else ()
    return (
        "model",
        "ran",
        f"first second, {unit}",
        f"steady state, {unit} [95 %]",
        "steady after",
        "slowdown",
        "first throttling",
        *frames,
    )


def cells(model: SustainedModel, results: SustainedResults) -> tuple[str, ...]:
    """Return the cells of a model, after its name."""
    if model.wrong_output or model.place is None:
        missing = WRONG if model.wrong_output else NOT_MEASURED
        return (missing, *(NONE,) * (len(headings(results)) - 2))
    steady = model.steady
    slowdown = model.slowdown
    frames: tuple[str, ...] = ()
    if results.frame_rate is not None:
        share = steady.missed_share if steady else None
        frames = (
            f"{model.missed_frames} of {model.arrived_frames}",
            NONE if share is None else f"{percent(share, 1)} %",
        )
    return (
        f"{number(model.ran_s, 0)} s",
        milliseconds(model.first_ms),
        "not reached" if steady is None else median(steady.times),
        NONE if steady is None else f"{number(steady.from_s, 0)} s",
        NONE if slowdown is None else f"{number(slowdown, 2)}x",
        throttling_text(model),
        *frames,
    )


def throttling_text(model: SustainedModel) -> str:
    """Describe when and how a model's run throttled first."""
    if model.throttling is None:
        return "none" if model.reports_throttling else "unknown"
    return f"{number(model.throttling.at_s, 0)} s: {model.throttling.evidence}"


def print_sustained(console: Console, results: SustainedResults) -> None:
    """Print conditions, a row for each model, and caveats."""
    print_long_runs(
        console,
        results,
        headings(results),
        [(model.title, *cells(model, results)) for model in results.models],
        "The processor is emulated: these times are not latency.",
        [(model.title, model.problem) for model in results.models],
    )


def to_csv(results: SustainedResults) -> str:
    """Write a row for every moment of every model; a model that did not run has an empty row."""
    rows: list[dict[str, object]] = []
    for model in results.models:
        for moment in model.curve or (None,):
            rows.append(
                {
                    "model": model.file,
                    "emulated": results.emulated,
                    "seconds": moment and moment.seconds,
                    "inferences": moment and moment.inferences,
                    "median_ms": moment and moment.median_ms,
                    "slowest_ms": moment and moment.slowest_ms,
                    "missed_frames": moment and moment.missed_frames,
                    "clock_khz": moment and moment.clock_khz,
                    "temperature_c": moment and moment.temperature_c,
                    "thermal_status": moment and moment.thermal_status,
                }
            )
    return csv_text(rows)
