"""Accuracy and latency on the terminal and as CSV."""

from typing import Any

from rich.table import Table

from seaformer.benchmark.presentation.csv_text import csv_text, ends, median_cells
from seaformer.benchmark.studies.pareto.pareto_results import ParetoResults, Point
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, median, ratio


def print_pareto(console: Console, results: ParetoResults) -> None:
    """Print the networks by their published mIoU, and those left out."""
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("network", overflow="fold")
    unit = "emulated, NO LATENCY" if results.emulated else "ms [95 %]"
    for heading in ("mIoU, published", unit, f"x {results.base}", "front", "paper: x", "front"):
        table.add_column(heading, justify="right")
    for point in results.points:
        table.add_row(
            point.title,
            f"{point.miou:.1f} %",
            median(point.latency or point.emulated),
            ratio(point.ratio),
            point.standing.value if point.standing else NONE,
            f"{point.paper_ratio:.2f}",
            "yes" if point.paper_on_front else "no",
        )
    console.print(table)
    if any(point.is_random for point in results.points):
        console.print(
            "Accuracy and latency come from different weights: the measured files have random "
            "weights; the mIoU is the published value for trained weights, not evaluated here.",
            soft_wrap=True,
        )
    for one in results.left_out:
        console.print(f"left out: {one.title}: {one.reason}", soft_wrap=True)


def to_csv(results: ParetoResults) -> str:
    """Write a row for every network."""
    return csv_text([_row(point) for point in results.points])


def _row(point: Point) -> dict[str, Any]:
    of_base = point.ratio
    return {
        "network": point.title,
        "miou_published": point.miou,
        **median_cells("latency", point.latency),
        "emulated_median_ms": point.emulated and point.emulated.median_ms,
        "ratio": of_base and of_base.value,
        **ends("ratio", of_base.interval if of_base else None),
        "on_front": point.on_front,
        "on_front_unclear": point.on_front_unclear,
        "paper_phone_ms": point.paper_latency_ms,
        "paper_ratio": point.paper_ratio,
        "paper_on_front": point.paper_on_front,
        "file": point.file,
        "precision": point.precision,
        "random_weights": point.is_random,
        "miou_source": point.miou_source,
    }
