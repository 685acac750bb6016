"""Terminal output of a breakdown."""

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from seaformer.benchmark.presentation.npu_cycles import print_npu_breakdown
from seaformer.benchmark.results.breakdown import Breakdown, Row
from seaformer.benchmark.results.schema import Results
from seaformer.console import Console

DEPTH = 4
"""Deeper rows are only in the CSV and in the report."""
WIDE = 100
"""Terminal width from which intervals and GFLOP/s are shown."""


def print_breakdowns(console: Console, results: Results) -> None:
    """Print the latency by module of every model with a breakdown."""
    for model in results.models:
        if model.breakdown is not None:
            print_breakdown(console, model.breakdown, Path(model.file).name)


def print_breakdown(console: Console, breakdown: Breakdown, name: str) -> None:
    """Print the latency of a named model by module."""
    console.print()
    console.print(_heading(breakdown, name), soft_wrap=True)
    is_wide = console.width >= WIDE
    unit = "emulated" if breakdown.emulated else "ms"
    check = "truncated"  # by truncated-model timing; two words would leave names no room
    headings = [f"{unit} [95 %]" if is_wide else unit, "share", check, "MACs", "ops"]
    table = Table(box=None, pad_edge=False)
    table.add_column("module", overflow="fold", min_width=24)
    for heading in (*headings, "GFLOP/s")[: 6 if is_wide else 5]:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in breakdown.rows:
        if row.depth <= DEPTH:
            table.add_row(*_cells(row, is_wide))
    console.print(table)
    for line in _remarks(breakdown):
        console.print(line, soft_wrap=True)
    if breakdown.npu is not None:
        console.print()
        print_npu_breakdown(console, breakdown.npu)


def _heading(breakdown: Breakdown, name: str) -> Text:
    by_profile = breakdown.method == "profile"
    method = "the runtime's profile" if by_profile else "truncated-model timing"
    return Text(f"{name}: latency by module, from {method}", style="bold")


def _cells(row: Row, is_wide: bool) -> tuple[Text, ...]:
    style = "bold" if row.depth <= 1 else ""
    if row.agrees is False:
        style = f"{style} yellow".strip()
    cells = [
        "  " * row.depth + row.title,
        _time(row, is_wide),
        "-" if row.share is None else f"{100 * row.share:.1f} %",
        "-" if row.check_ms is None else f"{row.check_ms:.2f}",
        "-" if row.macs_share is None else f"{100 * row.macs_share:.1f} %",
        str(row.ops) if row.ops else "-",
    ]
    if is_wide:
        cells.append("-" if row.gflops is None else f"{row.gflops:.1f}")
    return tuple(Text(cell, style=style) for cell in cells)


def _time(row: Row, is_wide: bool) -> str:
    if row.ms is None:
        return "-"
    if row.interval_ms is None or not is_wide:
        return f"{row.ms:.2f}"
    return f"{row.ms:.2f} [{row.interval_ms.low:.2f}, {row.interval_ms.high:.2f}]"


def _remarks(breakdown: Breakdown) -> Iterator[str]:
    if breakdown.excess_text:
        yield f"The shares are wrong: {breakdown.excess_text}."
    if breakdown.profile_overhead is not None:
        yield (
            f"The total is from runs without the profiler; {breakdown.profile_runs} profiled runs: "
            f"{breakdown.overhead_text}."
        )
    if breakdown.profiler_us:
        yield (
            f"{breakdown.profiler_us:.1f} \N{MICRO SIGN}s of profiling overhead are subtracted "
            "from every event of the profile."
        )
    for sentence in breakdown.disagreements:
        yield f"The methods disagree: {sentence}"
    for note in breakdown.notes:
        yield f"Note: {note}"
