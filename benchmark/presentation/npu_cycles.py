"""NPU cycles by module, as a terminal table and as CSV."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rich.table import Table
from rich.text import Text

from seaformer.benchmark.presentation.csv_text import csv_text
from seaformer.benchmark.results.npu_breakdown import NpuBreakdown
from seaformer.console import Console
from seaformer.errors import quoted

DEPTH = 3
"""Depth of the modules in the terminal table; the CSV also has deeper ones."""


def print_npu_breakdown(console: Console, breakdown: NpuBreakdown) -> None:
    """Print the cycles of modules and of inserted operators, and their caveats."""
    heading = f"{breakdown.model}: NPU cycles by module"
    table = Table(title=heading, title_justify="left", box=None, pad_edge=False)
    table.add_column("module", overflow="fold", min_width=24)
    for name in ("cycles", "share", "events"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in breakdown.rows:
        if row.depth <= DEPTH:
            cells = [
                "  " * row.depth + row.title,
                f"{row.cycles:,.0f}",
                f"{100 * row.share:.1f} %",
                str(row.events),
            ]
            table.add_row(*(Text(cell, style="bold" if row.depth <= 1 else "") for cell in cells))
    console.print(table)
    runs = "1 run" if breakdown.runs == 1 else f"{breakdown.runs} runs"
    parts = "1 partition" if breakdown.partitions == 1 else f"{breakdown.partitions} partitions"
    console.print(
        f"{parts}, {runs}. Cycles are not latency; the emulator's cycles differ from a phone's.",
        soft_wrap=True,
    )
    for name in breakdown.unknown:
        console.print(f"Not named after a node of the file: {quoted(name)}", soft_wrap=True)


def npu_csv(breakdown: NpuBreakdown) -> str:
    """Write one row per module, and per type of inserted operator."""
    return csv_text([row.model_dump() for row in breakdown.rows])


WRITERS: Mapping[str, Callable[[NpuBreakdown], str]] = MappingProxyType(
    {".csv": npu_csv, ".json": NpuBreakdown.text}
)
"""Suffix of a file -> function that writes it."""
