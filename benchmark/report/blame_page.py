"""Rendering the page of `--blame`: the search for the first faulty operator."""

from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.presentation.blame_terminal import (
    OUTCOMES,
    agreement,
    decibels,
    headline,
    next_commands,
    operator_lines,
    remarks,
)
from seaformer.benchmark.results.blame_results import BlameResults, Trial
from seaformer.reporting.page import Command, Page


@dataclass(frozen=True)
class TrialRow:
    """A trial with display texts."""

    trial: Trial
    outcome: str
    worst: str


@dataclass(frozen=True)
class BlamePage(Page, template="blame.html"):
    """The page of a search.

    Attributes:
        results: results of the search.
        ratios: SQNR of the operator before and after it, where known.
        lines: heading and text of each fact about the operator.
        remarks: caveats.
        rows: the trials, shortest models first.
    """

    results: BlameResults
    ratios: list[tuple[str, str]]
    lines: list[tuple[str, str]]
    remarks: list[str]
    rows: list[TrialRow]


def write_blame_page(path: Path, results: BlameResults) -> None:
    """Render the page and write it, replacing the file.

    Raises:
        OSError: the file cannot be written.
    """
    shortest_first = sorted(results.trials, key=lambda one: one.operators)
    blamed = results.blamed
    known = () if blamed is None else (("before", blamed.before_db), ("after", blamed.after_db))
    page = BlamePage(
        verdict=headline(results),
        commands=[
            Command(results.command),
            *(Command(line, purpose) for purpose, line in next_commands(results, path.parent)),
        ],
        results=results,
        ratios=[(f"SQNR {when}", decibels(value)) for when, value in known if value is not None],
        lines=[] if results.blamed is None else operator_lines(results.blamed),
        remarks=remarks(results),
        rows=[
            TrialRow(one, OUTCOMES[one.outcome], agreement(one.worst) if one.worst else "-")
            for one in shortest_first
        ],
    )
    page.write(path)
