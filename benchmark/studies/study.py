"""Interface of a study: models to measure, a summary of their benchmarks, and its files.

    plan -> run (`running.py`) -> render

A study defines what to measure and how to summarize it. Exporting and measuring models, writing
files and the exit status are common to all. A new study needs a folder next to this file and a
command in `benchmark/cli.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.request import Request
from seaformer.benchmark.presentation.breakdown_terminal import print_breakdowns
from seaformer.benchmark.presentation.terminal import print_results
from seaformer.benchmark.results.base import Document
from seaformer.benchmark.results.schema import Results
from seaformer.console import Console
from seaformer.files import write_text

Show = Callable[[str], None]
"""Progress callback that takes a description of the current activity."""


@dataclass(frozen=True)
class Export:
    """Model files from one run of seaformer-export; `title` is their display name.

    Format, folder and --force are added to the arguments.
    """

    title: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A model that was not measured, and the reason."""

    export: Export
    reason: str


@dataclass(frozen=True)
class Planned:
    """One benchmark of a study: models, or their exports, which are interleaved.

    Its results go into the subfolder `folder` of the study's folder, or directly into that folder
    if it is empty. `request` is its own request; None for the study's.
    `load` is the model, or its export, that runs beside them; None for none.
    """

    models: Sequence[Path | Export]
    folder: str = ""
    request: Request | None = None
    load: Path | Export | None = None


@dataclass(frozen=True)
class Failed:
    """A benchmark that measured nothing, and the reason."""

    planned: Planned
    reason: str


@dataclass(frozen=True)
class Measured:
    """The results of a benchmark on one device.

    `path` is the path of the results.json; `is_saved` is whether it could be written.
    """

    planned: Planned
    results: Results
    path: Path
    is_saved: bool = True


@dataclass(frozen=True)
class Finished:
    """Outcome of measuring.

    Attributes:
        measured: every benchmark on every device that measured anything.
        left_out: models that could not be exported or measured, if the study tolerates that.
        failed: benchmarks that measured nothing, if the study records that.
        problems: errors, a sentence or two for each device or model.
        interrupted: whether Ctrl-C stopped it.
    """

    measured: tuple[Measured, ...]
    left_out: tuple[LeftOut, ...]
    problems: tuple[str, ...]
    interrupted: bool
    failed: tuple[Failed, ...] = ()

    @property
    def results(self) -> tuple[Results, ...]:
        """The results of all benchmarks."""
        return tuple(one.results for one in self.measured)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of their results.json, if they could be written."""
        return tuple(one.path for one in self.measured if one.is_saved)


class Study(ABC):
    """The measurement of a command.

    Attributes:
        request: the validated request.
        compared: plural noun for the items that are compared, if all of them have to be measured on
            one device; else empty.
        does_without: whether models that cannot be exported are omitted.
        records_failures: whether a benchmark that measures nothing is a result, not an error.
    """

    compared: ClassVar[str] = ""
    does_without: ClassVar[bool] = False
    records_failures: ClassVar[bool] = False

    def __init__(self, request: Request) -> None:
        self.request = request
        self.options = request.options

    @property
    def file_names(self) -> Sequence[str]:
        """Names of the files that it writes in addition to those of its benchmarks."""
        return ()

    @abstractmethod
    def plan(self) -> Sequence[Planned]:
        """Return the planned benchmarks, before anything is exported.

        Raises:
            SeaformerError: there is nothing to measure.
        """

    def settings(self, device: Device) -> Sequence[Setting]:  # noqa: ARG002
        """Return the settings to measure its single model with; empty for the request's setting.

        Raises:
            UsageError: the device has no settings to compare.
        """
        return ()

    def arrange(self, candidates: Sequence[Candidate], show: Show) -> Sequence[Candidate]:  # noqa: ARG002
        """Check the models of a benchmark, and sort them.

        Raises:
            UsageError: they cannot be compared.
        """
        return candidates

    def show_benchmark(self, console: Console, results: Results) -> None:
        """Print one benchmark on the terminal."""
        print_results(console, results)
        print_breakdowns(console, results)

    @abstractmethod
    def render(self, console: Console, finished: Finished) -> int:
        """Print the summary of the benchmarks, and write its files.

        Returns:
            The exit status if there were no problems.

        Raises:
            SeaformerError: they cannot be summarized.
        """

    def note_failure(self, problem: str) -> None:  # noqa: B027 (most do nothing)
        """Record that nothing was measured, before the error is raised."""

    def given_models(self) -> list[Path | Export]:
        """Return the given models, by file or by the name of a network."""
        return list(map(as_source, self.request.models))


def as_source(model: Path | str) -> Path | Export:
    """Return a file, or the export of a network by its name."""
    return model if isinstance(model, Path) else Export(model, ("--model", model))


SummaryDocument = TypeVar("SummaryDocument", bound=Document)


class DocumentStudy(Study, Generic[SummaryDocument]):
    """A study on one device that writes its own files: JSON, CSV and a page.

    Attributes:
        stem: name of the files without suffix.
        to_csv: formats the CSV.
        write_page: renders the page and writes it.
        show: prints the summary on the terminal.
    """

    does_without = True
    stem: ClassVar[str]
    to_csv: Callable[[SummaryDocument], str]
    write_page: Callable[[Path, SummaryDocument], None]
    show: Callable[[Console, SummaryDocument], None]

    @property
    def file_names(self) -> Sequence[str]:
        """Names of its files."""
        return [f"{self.stem}.{suffix}" for suffix in ("json", "csv", "html")]

    @abstractmethod
    def summarize(self, finished: Finished) -> SummaryDocument:
        """Return the summary of the benchmarks."""

    def render(self, console: Console, finished: Finished) -> int:
        """Print the summary, write the files and print their paths."""
        summary = self.summarize(finished)
        self.show(console, summary)
        document, table, page = (self.request.output / name for name in self.file_names)
        write_text(document, summary.text())
        write_text(table, self.to_csv(summary))
        self.write_page(page, summary)
        console.print()
        console.print(f"results: {document} and {table.name}", soft_wrap=True)
        console.print(f"page: {page}", soft_wrap=True)
        return self.exit_status(summary)

    def exit_status(self, summary: SummaryDocument) -> int:  # noqa: ARG002
        """Return the exit status of a finished study."""
        return 0
