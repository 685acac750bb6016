"""The page of accelerators: a bar for the latency on each accelerator, and the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.artifact.accelerators import ACCELERATORS
from seaformer.benchmark.presentation.terminal import parity_text
from seaformer.benchmark.studies.accelerators.accelerators_results import (
    AcceleratorResults,
    AcceleratorRow,
)
from seaformer.benchmark.studies.accelerators.accelerators_table import Column, columns
from seaformer.reporting.numbers import milliseconds
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Row, Rows, Segment
from seaformer.reporting.scale import Scale
from seaformer.reporting.verdicts import fastest, joined
from seaformer.statistics.bootstrap import Ratio, separate_ratio


@dataclass(frozen=True)
class AcceleratorsPage(Page, template="accelerators.html"):
    """The page; `plot` is None if nothing has a latency, `run` has the rows that were run."""

    results: AcceleratorResults
    plot: Rows | None
    run: Sequence[AcceleratorRow]
    columns: Sequence[Column]


def write_accelerators_page(path: Path, results: AcceleratorResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    run = [row for row in results.rows if row.not_run is None]
    page = AcceleratorsPage(
        verdict=verdict(results),
        commands=[Command(results.command)],
        results=results,
        plot=_plot(results.rows),
        run=run,
        columns=columns(run),
    )
    page.write(path)


def verdict(results: AcceleratorResults) -> list[str]:
    """State which accelerator is the fastest with a correct output, and which outputs are wrong."""
    latencies = {row.title: row.latency for row in results.rows if row.latency is not None}

    def ratio(title: str, base: str) -> Ratio:
        return separate_ratio(latencies[title], latencies[base])

    if not latencies:
        sentences = ["No latency can be stated for any accelerator."]
    elif len(latencies) == 1:
        sentences = [f"Only {next(iter(latencies))} has a latency, so there is no comparison."]
    else:
        sentences = fastest({title: one.median_ms for title, one in latencies.items()}, ratio)
    if wrong := [row.title for row in results.rows if row.is_wrong]:
        sentences.append(f"The output on {joined(wrong)} is wrong, so its latency is discarded.")
    if missing := [row.title for row in results.rows if row.not_run is not None]:
        sentences.append(f"Not run: {joined(missing)}.")
    return sentences


def _plot(rows: Sequence[AcceleratorRow]) -> Rows | None:
    """Draw a bar for every row with a latency, in the color of its accelerator."""
    timed = [(row, row.latency.median_ms) for row in rows if row.latency is not None]
    if not timed:
        return None
    scale = Scale.over([0.0, *(ms for _, ms in timed)])
    colors = list(ACCELERATORS)
    bars = tuple(
        Row(
            row.title,
            _note(row, ms),
            (Segment(row.title, colors.index(row.accelerator), 0.0, ms, milliseconds(ms)),),
        )
        for row, ms in timed
    )
    return Rows(scale, "ms, median", 34, bars)


def _note(row: AcceleratorRow, ms: float) -> str:
    # On a narrow screen a short bar has no room for its number.
    covered = "" if row.coverage is None else f", covers {row.coverage}"
    return f"{milliseconds(ms)} ms, output {parity_text(row.parity)}{covered}"
