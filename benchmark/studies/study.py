"""What a study is: models to be measured, what their benchmarks show together, and its files.

    plan -> run (`running.py`) -> render

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
    """Model files that one run of seaformer-export makes; `title` is what they are, for people.

    Format, folder and --force are added to the arguments.
    """

    title: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """What was not measured, and why."""

    export: Export
    reason: str


@dataclass(frozen=True)
class Planned:
    """One benchmark of a study: models, or what makes them, that are measured interleaved.

    Its results go into `folder` in that of the study; empty for that one. `request` is its own;
    None for that of the study.
    """

    models: Sequence[Path | Export]
    folder: str = ""
    request: Request | None = None


@dataclass(frozen=True)
class Failed:
    """A benchmark that measured nothing, and why."""

    planned: Planned
    reason: str


@dataclass(frozen=True)
class Measured:
    """The results of a benchmark on one device.

    `path` is that of the results.json, `is_saved` whether it could be written.
    """

    planned: Planned
    results: Results
    path: Path
    is_saved: bool = True


@dataclass(frozen=True)
class Finished:
    """What came out of measuring.

    Attributes:
        measured: every benchmark, of every device that measured anything.
        left_out: what could not be exported or measured, where a study does without.
        failed: benchmarks that measured nothing, where a study records that.
        problems: what went wrong, a sentence or two for each device or model.
        interrupted: whether Ctrl-C ended it.
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
        """Of their results.json, as far as they could be written."""
        return tuple(one.path for one in self.measured if one.is_saved)


class Study(ABC):
    """What a command measures.

    Attributes:
        request: what was asked for.
        compared: what is compared, in the plural, if all has to be on one device; else empty.
        does_without: whether models that cannot be exported are left out.
        records_failures: whether a benchmark that measures nothing is a finding, and no problem.
    """

    compared: ClassVar[str] = ""
    does_without: ClassVar[bool] = False
    records_failures: ClassVar[bool] = False

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
    def render(self, console: Console, finished: Finished) -> int:
        """Show what the benchmarks show together, and write its files.

        Returns:
            The exit status if all went well.

        Raises:
            SeaformerError: they show nothing.
        """

    def given_models(self) -> list[Path | Export]:
        """Return the models that were given, by file or by the name of a network."""
        return [
            model if isinstance(model, Path) else Export(model, ("--model", model))
            for model in self.request.models
        ]


SummaryDocument = TypeVar("SummaryDocument", bound=Document)


class DocumentStudy(Study, Generic[SummaryDocument]):
    """A study on one device that ends in files of its own, a JSON, a CSV and a page.

    Attributes:
        stem: name of the files.
        to_csv: makes the CSV.
        write_page: draws the page and writes it.
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
    def summarise(self, finished: Finished) -> SummaryDocument:
        """Return what the benchmarks show together."""

    def render(self, console: Console, finished: Finished) -> int:
        """Show the summary, write the files and say where they are."""
        summary = self.summarise(finished)
        self.show(console, summary)
        document, table, page = (self.request.output / name for name in self.file_names)
        write_text(document, summary.text())
        write_text(table, self.to_csv(summary))
        self.write_page(page, summary)
        console.print()
        console.print(f"results: {document} and {table.name}", soft_wrap=True)
        console.print(f"page: {page}", soft_wrap=True)
        return 0
