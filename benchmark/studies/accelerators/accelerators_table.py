"""The accelerators of a device on the terminal and as CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from seaformer.benchmark.presentation.csv_text import csv_text, ends, median_cells
from seaformer.benchmark.presentation.paper_table import WRONG, PaperTable
from seaformer.benchmark.presentation.terminal import EMULATED, WIDE, drawn, parity_text
from seaformer.benchmark.studies.accelerators.accelerators_results import (
    AcceleratorResults,
    AcceleratorRow,
)
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, median, milliseconds, number


@dataclass(frozen=True)
class Column:
    """A column after the title: its headings on a terminal and on the page, and its cells."""

    short: str
    heading: str
    cell: Callable[[AcceleratorRow], str]


def columns(run: Sequence[AcceleratorRow]) -> list[Column]:
    """Return the columns that have a value in any of the rows that were run.

    Most devices do not measure energy, and the CPU has no coverage.
    """
    return [column for column in COLUMNS if any(column.cell(row) != NONE for row in run)]


def print_accelerators(console: Console, results: AcceleratorResults) -> None:
    """Print the rows, the reasons for rows that were not run, and the fastest accelerator."""
    console.print(results.conditions, soft_wrap=True)
    run = [row for row in results.rows if row.not_run is None]
    shown = columns(run)
    table = PaperTable(
        title="",
        headings=("accelerator", *(column.short for column in shown)),
        rows=tuple((row.title, *(column.cell(row) for column in shown)) for row in run),
        notes=(),
    )
    console.print(drawn(table, is_wide=console.width >= WIDE))
    for row in results.rows:
        if row.not_run is not None:
            console.print(f"not run: {row.title}: {row.not_run}", soft_wrap=True)
    for name in dict.fromkeys(row.driver for row in run if row.emulated and row.driver):
        console.print(
            f"{EMULATED}: {name} computes on the processor, so its times are not latency.",
            soft_wrap=True,
        )
    for warning in results.warnings:
        console.print(f"warning: {warning}", style="bold yellow", soft_wrap=True)
    if (fastest := results.fastest) is not None:
        console.print(Text(f"fastest with correct output: {fastest.title}", style="bold"))


def time_text(row: AcceleratorRow) -> str:
    """The latency of a row with its interval, or the reason why it has none."""
    if row.is_wrong:
        return WRONG
    if row.emulated is not None:
        return f"{milliseconds(row.emulated.median_ms)} {EMULATED}"
    return median(row.latency)


COLUMNS = (
    Column("ms [95 %]", "ms [95 %]", time_text),
    Column("ratio", "ratio", lambda row: number(row.ratio.value if row.ratio else None, 2)),
    Column("compile", "compile ms", lambda row: number(row.compile_ms)),
    Column("first", "first ms", lambda row: number(row.first_inference_ms)),
    Column("+RAM MB", "added RAM MB", lambda row: _megabytes(row.added_peak_bytes)),
    Column("mJ", "energy mJ", lambda row: number(row.energy_mj)),
    Column("covers", "coverage", lambda row: str(row.coverage or NONE)),
    Column("parity", "parity", lambda row: parity_text(row.parity)),
)
"""All columns, in their order; a number that a row does not have is `NONE`."""


def _megabytes(size: int | None) -> str:
    return NONE if size is None else number(size / 1e6)


def to_csv(results: AcceleratorResults) -> str:
    """Write a line for every row, including those that were not run."""
    return csv_text([_line(row) for row in results.rows])


def _line(row: AcceleratorRow) -> dict[str, Any]:
    return {
        "title": row.title,
        "accelerator": row.accelerator,
        "not_run": row.not_run,
        "backend": row.backend,
        "file": row.file,
        "precision": row.precision,
        "driver": row.driver,
        **median_cells("latency", row.latency),
        "emulated_median_ms": row.emulated and row.emulated.median_ms,
        "ratio": row.ratio and row.ratio.value,
        **ends("ratio", row.ratio.interval if row.ratio else None),
        "compile_ms": row.compile_ms,
        "first_inference_ms": row.first_inference_ms,
        "added_memory_peak_bytes": row.added_peak_bytes,
        "energy_mj": row.energy_mj,
        "fully_accelerated": row.coverage and row.coverage.full,
        "operators_on_cpu": row.coverage and row.coverage.left,
        "wrong_output": row.is_wrong,
        "parity_sqnr_db": row.parity and row.parity.sqnr_db,
        "parity_agreement": row.parity and row.parity.agreement,
    }
