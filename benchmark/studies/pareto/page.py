"""The page: published mIoU over latency, measured here and in the paper's figure."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.benchmark.report.pages import write_page
from seaformer.benchmark.studies.pareto.networks import SEAFORMER
from seaformer.benchmark.studies.pareto.schema import ParetoResults, Point
from seaformer.reporting.xy_plot import Scatter, Value, scatter

TEMPLATE = "pareto.html"
COLORS = 6


def write_pareto_page(path: Path, results: ParetoResults) -> None:
    """Draw the page and write it.

    Raises:
        OSError: the file cannot be written.
    """
    others = sorted({point.family for point in results.points} - {SEAFORMER})
    families = {family: place % COLORS for place, family in enumerate([SEAFORMER, *others])}
    write_page(
        path,
        TEMPLATE,
        results=results,
        measured=_measured(results.points, families),
        published=scatter(
            [
                (point.title, families[point.family], Value(point.paper_latency_ms, point.miou))
                for point in results.points
            ]
        ),
        is_random=any(point.is_random for point in results.points),
    )


def _measured(points: Sequence[Point], families: dict[str, int]) -> Scatter | None:
    drawn = []
    for point in points:
        if point.latency is not None:
            ends = point.latency.interval_ms
            low, high = (None, None) if ends is None else (ends.low, ends.high)
            value = Value(point.latency.median_ms, point.miou, low, high)
            drawn.append((point.title, families[point.family], value))
    return scatter(drawn) if drawn else None
