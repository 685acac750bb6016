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
from seaformer.benchmark.studies.accelerators.accelerators_table import cells
from seaformer.reporting.numbers import milliseconds
from seaformer.reporting.page import Page
from seaformer.reporting.plots import Row, Rows, Segment
from seaformer.reporting.scale import Scale


@dataclass(frozen=True)
class AcceleratorsPage(Page, template="accelerators.html"):
    """The page; `plot` is None if nothing has a latency, `cells` has the rows that were run."""

    results: AcceleratorResults
    plot: Rows | None
    cells: Sequence[Sequence[str]]


def write_accelerators_page(path: Path, results: AcceleratorResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    run = [cells(row) for row in results.rows if row.not_run is None]
    AcceleratorsPage(results=results, plot=_plot(results.rows), cells=run).write(path)


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
