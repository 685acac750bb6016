"""Accuracy and latency on the terminal and as CSV."""

from typing import Any

from rich.table import Table

from seaformer.benchmark.presentation.csv_text import csv_text, ends, median_cells
from seaformer.benchmark.studies.pareto.pareto_results import ParetoResults, PhonePoint, Point
from seaformer.console import Console
from seaformer.reporting.numbers import NONE, median, number, ratio
from seaformer.reporting.verdicts import joined

NAME_WIDTH = 24
"""Length of the longest name up to which no name is broken, which leaves room in 80 columns."""


def print_pareto(console: Console, results: ParetoResults) -> None:
    """Print the networks by their published accuracy, and the omitted ones."""
    console.print()
    table = Table(box=None, pad_edge=False)
    longest = max(len(point.title) for point in results.points)
    table.add_column("network", overflow="fold", no_wrap=longest <= NAME_WIDTH)
    unit = "emulated, NO LATENCY" if results.emulated else "ms [95 %]"
    others = tuple(results.phones) or ("M params", "G MACs")
    for heading in (results.metric, unit, "ratio", "front", *others):
        table.add_column(heading, justify="right")
    for point in results.points:
        sizes = number(point.params_m, 2), number(point.macs_g, 3)
        table.add_row(
            point.title,
            NONE if point.score is None else f"{point.score} %",
            median(point.latency or point.emulated),
            ratio(point.ratio),
            point.standing.value if point.standing else NONE,
            *([_ratio_on(point, phone) for phone in results.phones] or sizes),
        )
    console.print(table)
    console.print(
        f"{results.metric}: published for trained weights, not evaluated here; ratio: latency "
        f"relative to {results.base}"
        + (f"; on {joined(list(results.phones))}: as published" if results.phones else ""),
        soft_wrap=True,
    )
    if results.has_random:
        console.print(
            "Accuracy and latency come from different weights: the files have random weights.",
            soft_wrap=True,
        )
    for point in results.points:
        if point.score is None:
            console.print(
                f"without {results.metric}: {point.title}: {point.score_source}", soft_wrap=True
            )
    for one in results.left_out:
        console.print(f"omitted: {one.title}: {one.reason}", soft_wrap=True)


def _ratio_on(point: Point, phone: str) -> str:
    return f"{point.phones[phone].ratio:.2f}" if phone in point.phones else NONE


def _on_phone(point: PhonePoint | None) -> list[tuple[str, Any]]:
    return [
        ("ms", point and point.latency_ms),
        ("ratio", point and point.ratio),
        ("on_front", point and point.on_front),
    ]


def to_csv(results: ParetoResults) -> str:
    """Write a row for every network."""
    return csv_text([_row(results, point) for point in results.points])


def _row(results: ParetoResults, point: Point) -> dict[str, Any]:
    of_base, paper = point.ratio, point.paper
    return {
        "network": point.title,
        f"{results.metric.lower().replace('-', '')}_published": point.score,
        "height": point.input_size and point.input_size[0],
        "width": point.input_size and point.input_size[1],
        "params": point.params,
        "macs": point.macs,
        "params_published_m": point.published_params_m,
        "macs_published_g": point.published_macs_g,
        **median_cells("latency", point.latency),
        "emulated_median_ms": point.emulated and point.emulated.median_ms,
        "ratio": of_base and of_base.value,
        **ends("ratio", of_base.interval if of_base else None),
        "on_front": point.on_front,
        "on_front_unclear": point.on_front_unclear,
        "paper_phone_ms": paper and paper.latency_ms,
        "paper_ratio": paper and paper.ratio,
        "paper_on_front": paper and paper.on_front,
        **{
            f"{phone.lower().replace(' ', '_')}_{key}": value
            for phone in results.other_phones
            for key, value in _on_phone(point.other_phones.get(phone))
        },
        "file": point.file,
        "precision": point.precision,
        "random_weights": point.is_random,
        "score_source": point.score_source,
    }
