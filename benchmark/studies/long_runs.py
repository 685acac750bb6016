"""Common parts of the studies that run each model for minutes: --sustain and --energy."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from rich.table import Table
from rich.text import Text

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request, require_our_runner
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.base import LongRunsDocument
from seaformer.benchmark.results.schema import Results
from seaformer.benchmark.studies.study import DocumentStudy, Finished, Planned
from seaformer.console import Console
from seaformer.errors import UsageError

LongRuns = TypeVar("LongRuns", bound=LongRunsDocument)


class LongRunsStudy(DocumentStudy[LongRuns]):
    """One benchmark of the given models, one after the other, each for minutes.

    Attributes:
        option: option of the study.
    """

    option: ClassVar[str]

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: a value is out of range or cannot be combined with the option.
            SeaformerError: a file is missing or cannot be used.
        """
        _refuse_options_of_rounds(options, self.option)
        super().__init__(make_request(options))
        require_our_runner(options, self.option)
        self._created_at = datetime.now(UTC)

    def plan(self) -> Sequence[Planned]:
        """Return the given models."""
        return [Planned(self.given_models())]

    def show_benchmark(self, console: Console, results: Results) -> None:
        """Print nothing: `show` prints the summary."""

    def summarize(self, finished: Finished) -> LongRuns:
        """Summarize the run of every model."""
        (measured,) = finished.measured
        results = measured.results
        return self.summarize_models(
            results,
            created_at=self._created_at,
            command=self.options.command,
            conditions=conditions_line(results),
            emulated=results.emulated,
            interrupted=finished.interrupted,
            results=str(measured.path.relative_to(self.request.output)),
            problem=results.problem,
            warnings=results.warnings,
        )

    @abstractmethod
    def summarize_models(self, measured: Results, **common: Any) -> LongRuns:
        """Return the document, with the members that all such documents have in common."""


def _refuse_options_of_rounds(options: Options, study: str) -> None:
    for option, is_given in (
        ("--table", options.table is not None),
        ("--runs", options.runs is not None),
        ("--until", options.until is not None),
        ("--compare", options.compare is not None),
        ("--breakdown", options.breakdown),
        ("--frame", options.frame_size is not None),
        ("--beside", options.beside is not None),
        ("--cold-start", options.cold_start),
    ):
        if is_given:
            raise UsageError(f"{option} cannot be combined with {study}. Omit one of them.")
    if not options.models:
        raise UsageError(f"{study} needs a MODEL. Give a .tflite or .onnx from seaformer-export.")


def print_long_runs(
    console: Console,
    results: LongRunsDocument,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    emulation: str,
    remarks: Iterable[tuple[str, str]],
) -> None:
    """Print conditions, a table, and caveats.

    Args:
        console: where to print.
        results: the results.
        headings: headings of the table.
        rows: cells of each model, its title first.
        emulation: caveat if the device is emulated.
        remarks: title of a model, and a remark on it, or "".
    """
    console.print(results.conditions, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    for title, *cells in rows:
        table.add_row(title, *map(Text, cells))
    console.print(table)
    if results.emulated:
        console.print(emulation, style="bold yellow")
    for title, remark in remarks:
        if remark:
            console.print(f"{title}: {remark}", soft_wrap=True)
    for warning in results.warnings:
        console.print(f"warning: {warning}", style="bold yellow", soft_wrap=True)
    if results.problem is not None:
        console.print(f"incomplete: {results.problem}", style="bold red", soft_wrap=True)
