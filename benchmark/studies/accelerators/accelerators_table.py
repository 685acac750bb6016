"""The accelerators of a device on the terminal and as CSV."""

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

ENERGY = "mJ"
HEADINGS = (
    "accelerator", "ms [95 %]", "ratio", "compile", "first", "+RAM MB", ENERGY,
    "covers", "parity",
)  # fmt: skip
"""Headings of the columns: the title of a row, and its `cells`."""


def print_accelerators(console: Console, results: AcceleratorResults) -> None:
    """Print the rows, the reasons for rows that were not run, and the fastest accelerator."""
    console.print(results.conditions, soft_wrap=True)
    run = [row for row in results.rows if row.not_run is None]
    # Most devices cannot measure energy, and a terminal is narrow.
    shown = [
        place
        for place, heading in enumerate(HEADINGS)
        if heading != ENERGY or any(row.energy_mj is not None for row in run)
    ]
    table = PaperTable(
        title="",
        headings=tuple(HEADINGS[place] for place in shown),
        rows=tuple(tuple((row.title, *cells(row))[place] for place in shown) for row in run),
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


def cells(row: AcceleratorRow) -> tuple[str, ...]:
    """Return the cells of a row that was run, after its title."""
    memory = row.added_peak_bytes
    return (
        time_text(row),
        number(row.ratio.value if row.ratio else None, 2),
        number(row.compile_ms),
        number(row.first_inference_ms),
        NONE if memory is None else number(memory / 1e6),
        number(row.energy_mj),
        NONE if row.coverage is None else str(row.coverage),
        parity_text(row.parity),
    )


def time_text(row: AcceleratorRow) -> str:
    """The latency of a row with its interval, or the reason why it has none."""
    if row.is_wrong:
        return WRONG
    if row.emulated is not None:
        return f"{milliseconds(row.emulated.median_ms)} {EMULATED}"
    return median(row.latency)


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
