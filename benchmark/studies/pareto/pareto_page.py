"""The page of published accuracy over latency, measured here and published for phones."""

from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.studies.pareto.pareto_results import SEAFORMER, ParetoResults
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Plot
from seaformer.reporting.verdicts import joined
from seaformer.reporting.xy_plot import Dot, Standing, Value, interval_ends, scatter

MAX_NAMES = 6
"""Largest number of networks that a sentence names; more are counted."""


@dataclass(frozen=True)
class ParetoPage(Page, template="pareto.html"):
    """The page; `measured` is None without latencies, `published` has a plot for each phone."""

    results: ParetoResults
    measured: Plot | None
    published: dict[str, Plot]


def write_pareto_page(path: Path, results: ParetoResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    points = results.points
    others = sorted({point.family for point in points} - {SEAFORMER})
    colors = {family: place for place, family in enumerate([SEAFORMER, *others])}
    measured = [
        Dot(
            point.title,
            colors[point.family],
            Value(point.latency.median_ms, point.score, *interval_ends(point.latency.interval_ms)),
            point.standing,
        )
        for point in points
        if point.latency is not None and point.score is not None and point.standing is not None
    ]
    published = {
        phone: [
            Dot(
                point.title,
                colors[point.family],
                Value(point.phones[phone].latency_ms, point.score),
                Standing.ON if point.phones[phone].on_front else Standing.BEATEN,
            )
            for point in points
            if phone in point.phones and point.score is not None
        ]
        for phone in results.phones
    }
    title, x_name = f"{results.metric} over milliseconds", f"x: ms, y: {results.metric} in %"
    page = ParetoPage(
        verdict=verdict(results),
        commands=[Command(results.command)],
        results=results,
        measured=scatter(f"{title}, measured here", x_name, measured) if measured else None,
        published={
            phone: scatter(f"{title}, published for {phone}", x_name, dots)
            for phone, dots in published.items()
            if dots
        },
    )
    page.write(path)


def verdict(results: ParetoResults) -> list[str]:
    """State which networks are on the front by the latencies here, and which may be."""
    by_standing = {
        standing: [one.title for one in results.points if one.standing is standing]
        for standing in Standing
    }
    count = sum(map(len, by_standing.values()))
    if not count:
        return ["No latency can be stated here, so there is no front."]
    front = by_standing[Standing.ON]
    verb = "is" if len(front) == 1 else "are"
    ends = ""
    if len(front) > MAX_NAMES:
        ends = f", from {front[0]}, the fastest, to {front[-1]}, the most accurate"
    sentences = [
        f"Of {count} measured network{'s' * (count > 1)}, {_named(front)} {verb} on the Pareto "
        f"front by the median latencies here{ends}."
    ]
    if unclear := by_standing[Standing.UNCLEAR]:
        sentences.append(
            f"Whether {_named(unclear)} should be on it cannot be stated: the networks with better "
            "medians are not significantly faster."
        )
    return sentences


def _named(titles: list[str]) -> str:
    return joined(titles) if len(titles) <= MAX_NAMES else str(len(titles))
