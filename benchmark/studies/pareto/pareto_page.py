"""The page of published mIoU over latency, measured here and in the paper's figure."""

from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.studies.pareto.pareto_results import SEAFORMER, ParetoResults
from seaformer.reporting.page import Page
from seaformer.reporting.plots import Plot
from seaformer.reporting.xy_plot import Dot, Standing, Value, interval_ends, scatter

X_NAME = "x: ms, y: mIoU in %"


@dataclass(frozen=True)
class ParetoPage(Page, template="pareto.html"):
    """The page; `measured` is None without latencies, `published` plots the paper's figure."""

    results: ParetoResults
    measured: Plot | None
    published: Plot


def write_pareto_page(path: Path, results: ParetoResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    points = results.points
    others = sorted({point.family for point in points} - {SEAFORMER})
    colors = {family: place for place, family in enumerate([SEAFORMER, *others])}
    measured = [
        Dot(
            point.title,
            colors[point.family],
            Value(point.latency.median_ms, point.miou, *interval_ends(point.latency.interval_ms)),
            point.standing,
        )
        for point in points
        if point.latency is not None and point.standing is not None
    ]
    published = [
        Dot(
            point.title,
            colors[point.family],
            Value(point.paper_latency_ms, point.miou),
            Standing.ON if point.paper_on_front else Standing.BEATEN,
        )
        for point in points
    ]
    title = "mIoU over milliseconds"
    page = ParetoPage(
        results=results,
        measured=scatter(f"{title}, measured here", X_NAME, measured) if measured else None,
        published=scatter(f"{title}, in the paper's figure", X_NAME, published),
    )
    page.write(path)
