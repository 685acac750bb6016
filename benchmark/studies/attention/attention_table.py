"""Latencies of attention layers on the terminal and as CSV."""

from collections.abc import Callable
from typing import Any

from rich.table import Table

from seaformer.benchmark.presentation.csv_text import csv_text, ends, median_cells
from seaformer.benchmark.studies.attention.attention_results import (
    AttentionResults,
    LayerResult,
    Point,
    SideLeftOut,
)
from seaformer.benchmark.studies.attention.growth import Growth
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, milliseconds


def print_attention(console: Console, results: AttentionResults) -> None:
    """Print latency and growth, memory, and what was not measured."""
    console.print(results.conditions, soft_wrap=True)
    unit = "emulated, NO LATENCY" if results.emulated else "ms"
    what = "feature map" if results.inside is None else "image"
    console.print(_table(results, f"{unit}, by side of the {what}", _time, has_growth=True))
    console.print()
    console.print(
        _table(
            results,
            f"peak memory that the {'layer' if results.inside is None else 'network'} adds, in MB, "
            "by side",
            _memory,
            has_growth=False,
        )
    )
    for layer in results.layers:
        for one in layer.left_out:
            console.print(f"{layer.kind} at {one.side}: {one.reason}", soft_wrap=True)
    for side in results.sides:
        for warning in side.warnings:
            console.print(
                f"warning: side {side.side}: {warning}", style="bold yellow", soft_wrap=True
            )
        if side.problem is not None:
            console.print(f"side {side.side} is incomplete: {side.problem}", style="bold red")


def growth_text(growth: Growth | None) -> str:
    """An exponent with its interval and the fitted sides."""
    if growth is None:
        return NONE
    interval = growth.interval
    ends = "" if interval is None else f" [{interval.low:.2f}, {interval.high:.2f}]"
    return f"{growth.exponent:.2f}{ends}, {growth.sides[0]} to {growth.sides[-1]}"


def to_csv(results: AttentionResults) -> str:
    """Write a row for every layer and side, measured or not."""
    rows: list[dict[str, Any]] = []
    for layer in results.layers:
        rows += [_row(layer, point) for point in layer.points]
        rows += [_row(layer, one) for one in layer.left_out]
    return csv_text(rows)


def _row(layer: LayerResult, one: Point | SideLeftOut) -> dict[str, Any]:
    point = one if isinstance(one, Point) else None
    growth = layer.measured_growth
    return {
        "layer": layer.kind,
        "side": one.side,
        **median_cells("latency", point.latency if point else None),
        "emulated_median_ms": point and point.emulated and point.emulated.median_ms,
        "peak_memory_bytes": point and point.peak_memory_bytes,
        "added_peak_bytes": point and point.added_peak_bytes,
        "params": point and point.params,
        "macs": point and point.macs,
        "wrong_output": point and point.wrong_output,
        "left_out": one.reason if isinstance(one, SideLeftOut) else None,
        "paper_phone_ms": layer.paper_ms.get(one.side),
        "growth_theory": layer.growth,
        "growth_measured": growth and growth.exponent,
        **ends("growth", growth.interval if growth else None),
    }


def _table(
    results: AttentionResults, title: str, cell: Callable[[Point], str], *, has_growth: bool
) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    sides = [side.side for side in results.sides]
    for side in sides:
        table.add_column(str(side), justify="right")
    if has_growth:
        table.add_column("side^b: b [95 %]", justify="right")
        table.add_column("theory", justify="right")
    for layer in results.layers:
        points = {point.side: point for point in layer.points}
        row = [cell(points[side]) if side in points else NONE for side in sides]
        growth = [growth_text(layer.measured_growth), str(layer.growth)] if has_growth else []
        table.add_row(layer.kind, *row, *growth)
    return table


def _time(point: Point) -> str:
    if point.wrong_output:
        return "WRONG"
    times = point.latency or point.emulated
    return NONE if times is None else milliseconds(times.median_ms)


def _memory(point: Point) -> str:
    memory = point.added_peak_bytes
    return NONE if memory is None else f"{memory / 1e6:.1f}"
