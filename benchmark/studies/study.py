"""What a study is: models to be measured, what their benchmarks show together, and its files.

    plan -> run (`running.py`) -> summarise -> render

A study says what to measure and what follows from it. Exporting the models, measuring them, writing
the files and the exit status are the same for all. A new study is a folder beside this file and its
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
"""Takes what is being done, for a display of progress."""


@dataclass(frozen=True)
class Export:
    """Model files that have to be made by one run of seaformer-export.

    Attributes:
        title: what they are, for people.
        arguments: of the command; format, folder and --force are added.
    """

    title: str
    arguments: tuple[str, ...]


AnyExport = TypeVar("AnyExport", bound=Export, covariant=True)


@dataclass(frozen=True)
class LeftOut(Generic[AnyExport]):
    """What was not measured, and why."""

    export: AnyExport
    reason: str


@dataclass(frozen=True)
class Planned:
    """One benchmark of a study: models that are measured interleaved.

    Attributes:
        models: files, or what makes them.
        folder: of its results, in that of the study; empty for that one.
    """

    models: Sequence[Path | Export]
    folder: str = ""


@dataclass(frozen=True)
class Measured:
    """The results of a benchmark on one device.

    Attributes:
        planned: the benchmark.
        results: what was measured.
        path: of the results.json.
    """

    planned: Planned
    results: Results
    path: Path


@dataclass(frozen=True)
class Finished:
    """What came out of measuring.

    Attributes:
        measured: every benchmark, of every device that measured anything.
        left_out: what could not be exported or measured, where a study does without.
        problems: what went wrong, a sentence or two for each device or model.
        interrupted: whether Ctrl-C ended it.
    """

    measured: tuple[Measured, ...]
    left_out: tuple[LeftOut[Export], ...]
    problems: tuple[str, ...]
    interrupted: bool

    @property
    def results(self) -> tuple[Results, ...]:
        """The results of all benchmarks."""
        return tuple(one.results for one in self.measured)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of their results.json, likewise."""
        return tuple(one.path for one in self.measured)


Summary = TypeVar("Summary")


class Study(ABC, Generic[Summary]):
    """What a command measures.

    Attributes:
        request: what was asked for.
        compared: what is compared, in the plural, if all has to be on one device; else empty.
        does_without: whether models that cannot be exported are left out.
    """

    compared: ClassVar[str] = ""
    does_without: ClassVar[bool] = False

    def __init__(self, request: Request) -> None:
        self.request = request
        self.options = request.options

    @property
    def file_names(self) -> Sequence[str]:
        """Names of its own files, besides those of its benchmarks."""
        return ()

    @abstractmethod
    def plan(self) -> Sequence[Planned]:
        """Return what to measure, before anything is exported.

        Raises:
            SeaformerError: there is nothing.
        """

    def settings(self, device: Device) -> Sequence[Setting]:  # noqa: ARG002
        """Return the settings that its one model has on a device; none for those of the request.

        Raises:
            UsageError: the device has none to compare.
        """
        return ()

    def arrange(self, candidates: Sequence[Candidate], show: Show) -> Sequence[Candidate]:  # noqa: ARG002
        """Check the models of a benchmark, and bring them into their order.

        Raises:
            UsageError: they cannot be compared.
        """
        return candidates

    def show_benchmark(self, console: Console, results: Results) -> None:
        """Show one benchmark on the terminal."""
        print_results(console, results)
        print_breakdowns(console, results)

    @abstractmethod
    def summarise(self, finished: Finished) -> Summary:
        """Return what the benchmarks show together.

        Raises:
            SeaformerError: they show nothing.
        """

    @abstractmethod
    def render(self, console: Console, summary: Summary) -> int:
        """Show the summary and write its files; return the exit status if all went well."""

    def given_models(self) -> list[Path | Export]:
        """Return the models that were given, by file or by the name of a network."""
        return [
            model if isinstance(model, Path) else Export(model, ("--model", model))
            for model in self.request.models
        ]


SummaryDocument = TypeVar("SummaryDocument", bound=Document)


@dataclass(frozen=True)
class Rendering(Generic[SummaryDocument]):
    """How a summary is shown, and what is written of it.

    Attributes:
        stem: name of the files: a JSON, a CSV and a page.
        to_csv: makes the CSV.
        write_page: draws the page and writes it.
        show: prints it on the terminal.
    """

    stem: str
    to_csv: Callable[[SummaryDocument], str]
    write_page: Callable[[Path, SummaryDocument], None]
    show: Callable[[Console, SummaryDocument], None]

    @property
    def names(self) -> tuple[str, str, str]:
        """Of the JSON, the CSV and the page."""
        return f"{self.stem}.json", f"{self.stem}.csv", f"{self.stem}.html"


class DocumentStudy(Study[SummaryDocument]):
    """A study on one device that ends in files of its own.

    Attributes:
        rendering: of its summary.
    """

    does_without = True
    rendering: Rendering[SummaryDocument]

    @property
    def file_names(self) -> Sequence[str]:
        """Names of its files."""
        return self.rendering.names

    def render(self, console: Console, summary: SummaryDocument) -> int:
        """Write the files, show the summary and where they are."""
        document, table, page = (self.request.output / name for name in self.file_names)
        write_text(table, self.rendering.to_csv(summary))
        write_text(document, summary.text())
        self.rendering.write_page(page, summary)
        self.rendering.show(console, summary)
        console.print()
        console.print(f"results: {document} and {table.name}", soft_wrap=True)
        console.print(f"page: {page}", soft_wrap=True)
        return 0
