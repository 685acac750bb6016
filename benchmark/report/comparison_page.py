"""The page of `--compare`: a benchmark compared with an older one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.benchmark_verdict import changes_between, regressions
from seaformer.benchmark.report.conditions import conditions
from seaformer.benchmark.report.ratios import HEIGHT, ratio_row, ratio_scale
from seaformer.benchmark.results.comparison import (
    BETWEEN,
    CONFIDENCE,
    Compared,
    browser_cautions,
    differing,
    highest_ratio,
)
from seaformer.benchmark.results.schema import Results
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Mark, Rows, box, upright


@dataclass(frozen=True)
class ComparisonPage(Page, template="latency_comparison.html"):
    """The page of a comparison.

    Attributes:
        new: the later benchmark.
        old: the earlier benchmark.
        changes: name of each model in both benchmarks -> its comparison.
        plot: the ratios.
        alone: models that are in one benchmark only, a sentence for each benchmark.
        differences: differences that affect latency, which the user has accepted.
        facts: name of each condition -> its value in the old and in the new benchmark.
        highest: highest ratio that is not a regression.
        between: relative difference that intervals do not cover.
        confidence: confidence level of the ratios, 0..1.
    """

    new: Source
    old: Source
    changes: Mapping[str, Compared]
    plot: Rows
    alone: list[str]
    differences: list[str]
    facts: dict[str, list[str]]
    highest: float
    between: float = BETWEEN
    confidence: float = CONFIDENCE


def write_comparison_page(
    path: Path, new: Source, old: Source, compared: Sequence[Compared], tolerance: float
) -> None:
    """Render the page and write it, replacing the file.

    Args:
        path: path of the page.
        new: the later benchmark.
        old: the earlier benchmark.
        compared: their comparison, of at least one model.
        tolerance: relative slowdown that is not a regression.

    Raises:
        OSError: the file cannot be written.
    """
    names = new.results.names
    changes = {names[one.new.id]: one for one in compared}
    pairs = (
        ("new", new.results, [one.new.id for one in compared]),
        ("older", old.results, [one.old.id for one in compared]),
    )
    page = ComparisonPage(
        verdict=[
            *changes_between("now", "before", changes),
            *regressions(changes, tolerance),
            *browser_cautions(new.results, old.results),
        ],
        commands=[
            Command(new.results.command, "The new benchmark"),
            Command(old.results.command, "The older benchmark"),
        ],
        new=new,
        old=old,
        changes=changes,
        plot=_plot(changes, highest_ratio(tolerance)),
        alone=[text for pair in pairs if (text := _alone(*pair))],
        differences=differing(new.results, old.results),
        facts=conditions([old.results, new.results]),
        highest=highest_ratio(tolerance),
    )
    page.write(path)


def _plot(changes: Mapping[str, Compared], highest: float) -> Rows:
    """Draw the ratios, over the range without a verdict and the limit of a regression."""
    margin = (1 / (1 + BETWEEN), 1 + BETWEEN)
    scale = ratio_scale([one.ratio for one in changes.values()], *margin, highest)
    low, high = map(scale.at, margin)
    behind = Mark("band", box(low, high)), Mark("limit", upright(scale.at(highest)))
    rows = tuple(
        ratio_row(name, "the older benchmark", one.ratio, one.outcome, scale, behind)
        for name, one in changes.items()
    )
    return Rows(scale, "new latency / old latency", HEIGHT, rows)


def _alone(which: str, results: Results, compared: Sequence[str]) -> str:
    """Name the models of a benchmark that are not compared; empty without any."""
    names = [name for id, name in results.names.items() if id not in compared]
    return f"Only in the {which} benchmark: {', '.join(names)}." if names else ""
