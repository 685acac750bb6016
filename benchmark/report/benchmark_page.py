"""Rendering the page of one benchmark, or of several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.presentation import beside_table
from seaformer.benchmark.presentation.cold_start import STEPS, ColdStart, cold_starts
from seaformer.benchmark.presentation.paper_table import PaperTable, paper_table
from seaformer.benchmark.presentation.terminal import parity_text
from seaformer.benchmark.report.benchmark_verdict import side_by_side, verdict
from seaformer.benchmark.report.beside_plot import beside_plot
from seaformer.benchmark.report.conditions import conditions
from seaformer.benchmark.report.distribution import distribution
from seaformer.benchmark.report.drift import Drift, drift
from seaformer.benchmark.report.frames import LEGEND, frames
from seaformer.benchmark.report.modules import Modules, modules
from seaformer.benchmark.report.ratios import Ratios, ratios
from seaformer.benchmark.results.comparison import (
    CONFIDENCE,
    Compared,
    browser_cautions,
    compare,
    differing,
)
from seaformer.benchmark.results.published import CONDITIONS, PaperRow, paper_rows
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.errors import SeaformerError, UsageError
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Rows


@dataclass(frozen=True)
class Source:
    """Results, and the path of their results.json as given."""

    file: str
    results: Results


@dataclass(frozen=True)
class _Entry:
    """A benchmark on the page.

    Attributes:
        letter: its label on the page; empty if it is the only one.
        anchor: unique prefix of the ids of its elements.
        names: id of each model -> its name, unique in the benchmark.
        parities: id of each model -> parity of its output with the host's output, as text.
    """

    letter: str
    anchor: str
    source: Source
    names: dict[str, str]
    parities: dict[str, str]
    distribution: Rows | None
    drift: Drift | None
    ratios: Ratios | None
    modules: Modules | None
    frames: Rows | None
    beside: Rows | None
    beside_headings: tuple[str, ...]
    beside_rows: list[tuple[str, tuple[str, ...]]]
    cold_starts: tuple[ColdStart, ...]
    paper: tuple[PaperRow, ...]
    table: PaperTable | None

    @property
    def results(self) -> Results:
        """The results of the benchmark."""
        return self.source.results


_Cell = tuple[ModelResult | None, Compared | None]
"""A model, None if the benchmark does not have it, and its comparison with the same model in the
first benchmark, None if they cannot be compared."""


@dataclass(frozen=True)
class BenchmarkPage(Page, template="benchmark.html"):
    """The page of benchmarks.

    Attributes:
        entries: the benchmarks.
        facts: name of each condition -> its value in each benchmark.
        side_by_side: name of each model -> its cell for each benchmark; empty for a single one.
        differences: letter of each benchmark after the first, and why it cannot be compared.
        paper_conditions: conditions of the published figures.
        stages: name and color of each stage of a whole frame.
        cold_start_steps: names of the steps of a cold start.
        confidence: confidence level of the ratios between benchmarks, 0..1.
    """

    entries: list[_Entry]
    facts: dict[str, list[str]]
    side_by_side: dict[str, list[_Cell]]
    differences: list[tuple[str, list[str]]]
    paper_conditions: str = CONDITIONS
    stages: tuple[tuple[str, int], ...] = LEGEND
    cold_start_steps: tuple[str, ...] = STEPS
    confidence: float = CONFIDENCE


def write_report(path: Path, sources: Sequence[Source]) -> None:
    """Render the page of one or more benchmarks and write it, replacing the file.

    Raises:
        OSError: the file cannot be written.
    """
    entries = [_entry(place, source, len(sources)) for place, source in enumerate(sources)]
    page = BenchmarkPage(
        verdict=_verdict(entries),
        commands=[Command(one.results.command, one.letter) for one in entries],
        entries=entries,
        facts=conditions([one.results for one in entries]),
        side_by_side=_side_by_side(entries),
        differences=[
            (one.letter, differing(one.results, entries[0].results)) for one in entries[1:]
        ],
    )
    page.write(path)


def _verdict(entries: Sequence[_Entry]) -> list[str]:
    """Compare every benchmark with the first one; a single one has its own verdict."""
    first, *others = entries
    if not others:
        return verdict(first.results)
    return [
        sentence
        for one in others
        for sentence in side_by_side(
            one.letter,
            first.letter,
            _changes(one.results, first.results),
            differing(one.results, first.results),
            browser_cautions(one.results, first.results),
        )
    ]


def _entry(place: int, source: Source, count: int) -> _Entry:
    results = source.results
    letter = "" if count == 1 else chr(ord("A") + place) if count <= 26 else str(place + 1)
    return _Entry(
        letter=letter,
        anchor=f"b{place}-",
        source=source,
        names=results.names,
        parities={model.id: parity_text(model.parity) for model in results.models},
        distribution=distribution(results),
        drift=drift(results),
        ratios=ratios(results),
        modules=modules(results),
        frames=frames(results),
        beside=beside_plot(results),
        beside_headings=beside_table.headings(results),
        beside_rows=beside_table.rows(results),
        cold_starts=cold_starts(results),
        paper=paper_rows(results),
        table=paper_table(results),
    )


def _side_by_side(entries: Sequence[_Entry]) -> dict[str, list[_Cell]]:
    """Group models by name; empty for a single benchmark."""
    if len(entries) == 1:
        return {}
    known = set(entries[0].names.values())
    changes = [{}, *(_changes(one.results, entries[0].results) for one in entries[1:])]
    return {
        name: [
            (_model(one, name), change.get(name) if name in known else None)
            for one, change in zip(entries, changes, strict=True)
        ]
        for name in dict.fromkeys(name for one in entries for name in one.names.values())
    }


def _model(entry: _Entry, name: str) -> ModelResult | None:
    return next((m for m in entry.results.models if entry.names[m.id] == name), None)


def _changes(new: Results, old: Results) -> dict[str, Compared]:
    """File -> its comparison; empty if the benchmarks cannot be compared."""
    try:
        return {one.file: one for one in compare(new, old, tolerance=0.0)}
    except (UsageError, SeaformerError):
        return {}
