"""Terminal output of the export: a line per stage, the summary table, the next commands."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from seaformer.artifact.metadata import FEATURES, Comparison, Metadata
from seaformer.console import Console
from seaformer.export.verify.verification import lowest
from seaformer.models.registry import REGISTRY
from seaformer.network_names import stored_name
from seaformer.progress_events import FileWritten, StageFinished, notify

_Item = TypeVar("_Item")


class Stage:
    """A stage of the export; set `result` to a short description of its result.

    Args:
        show: displays the progress of the stage, given in a few words.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self.result = ""
        self.show = show

    def progress(self, done: int, total: int) -> None:
        """Show the number of steps done."""
        self.show(f"{done} of {total}")

    def follow(self, items: Iterable[_Item], total: int) -> Iterator[_Item]:
        """Yield the items and show the progress."""
        for place, item in enumerate(items):
            self.progress(place + 1, total)
            yield item


class Report:
    """Prints to a console and emits the events of `seaformer.progress_events`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.warnings: list[str] = []
        self._start = perf_counter()

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        """Show a stage while it runs, then its result and its duration in seconds."""
        start = perf_counter()
        with self.console.status(f"{title} ...") as status:
            stage = Stage(lambda part: status.update(Text(f"{title} ... {part}")))
            yield stage
        seconds = perf_counter() - start
        self.console.print(
            Text("✓", style="green"),
            f"{title:<34} {stage.result:<46} {seconds:6.1f} s",
            soft_wrap=True,
        )
        notify(StageFinished(title=title, result=stage.result, seconds=seconds))

    def note(self, text: str) -> None:
        """Show a property that was detected in a network rather than stated by the user."""
        self.console.print(Text("note:", style="cyan"), text, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Show a warning and add it to `warnings`."""
        self.warnings.append(text)
        self.console.print(Text("warning:", style="yellow"), text, soft_wrap=True)

    def verdict(self, text: str, passed: bool) -> None:
        """Show a check and whether it passed."""
        mark = Text("✓", style="green") if passed else Text("✗", style="red")
        self.console.print(mark, text, soft_wrap=True)

    def parity(self, title: str, comparisons: Sequence[Comparison]) -> None:
        """Show the error of a file against PyTorch on every input."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("input")
        for heading in ("max abs error", "SQNR", "PyTorch fp32", "arg-max agreement"):
            table.add_column(heading, justify="right")
        for row in comparisons:
            table.add_row(
                row.input,
                "-" if row.max_abs_error is None else f"{row.max_abs_error:.2e}",
                _decibels(row.sqnr_db),
                _decibels(row.pytorch_float32_sqnr_db),
                "-" if row.argmax_agreement is None else f"{100 * row.argmax_agreement:.3f} %",
            )
        self.console.print(table)

    def summary(self, files: Sequence[tuple[Path, Metadata]]) -> None:
        """Show every file with its worst comparison, and the next commands."""
        table = Table(
            title="Verified: floating point against PyTorch in float64, worst of all inputs; "
            "integers against fp32 on held-out images or on the bundled photo",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        table.add_column("file", overflow="fold")
        accelerators = dict.fromkeys(
            p.name for _, data in files for p in data.accelerators if p.chip is None
        )
        for heading in ("MB", "operators", "SQNR dB", "agreement %", *accelerators):
            table.add_column(heading, justify="right", no_wrap=True)
        for path, metadata in files:
            notify(FileWritten(path=path))
            compilation = metadata.compilation
            if compilation is None:
                bytes_, operators = path.stat().st_size, len(metadata.operators)
                sqnr, agreement = _decisive(metadata)
            else:
                binary = 0 if compilation.binary is None else compilation.binary.bytes
                bytes_ = path.stat().st_size + binary
                operators = compilation.partitions + len(compilation.left)
                sqnr, agreement = lowest(metadata.accelerators[0].comparisons)
            table.add_row(
                path.name,
                f"{bytes_ / 1e6:.2f}",
                str(operators),
                "-" if sqnr is None else f"{sqnr:.1f}",
                "-" if agreement is None else f"{100 * agreement:.3f}",
                *(_on_accelerator(metadata, name) for name in accelerators),
            )
        self.console.print()
        self.console.print(table)
        unverified = {
            f"{parity.name}: {parity.reason}."
            if parity.status == "compiled"
            else f"{parity.name}: not verified: {parity.reason}."
            for _, metadata in files
            for parity in metadata.accelerators
            if parity.status in ("not verified", "compiled")
        }
        for line in sorted(unverified):
            self.console.print(line, soft_wrap=True)
        total = perf_counter() - self._start
        first, described = files[0]
        self.console.print()
        self.console.print(f"Written to {first.parent} in {total:.1f} s.")
        self.console.print()
        self.console.print("Next:")
        if described.kind == FEATURES:
            use = f"seaformer-benchmark {first}"
        else:
            use = f"seaformer-predict PHOTO --model {first}"
            if described.takes_image and not described.knows_normalization:
                use += " --input-range LOW..HIGH"
        check = f"seaformer-export --self-check {first}"
        if stored_name(described.variant, described.model) not in REGISTRY:
            check += f" --model {described.model}"
        for command in (use, check):
            self.console.print(f"  {command}", soft_wrap=True)


def _decisive(metadata: Metadata) -> tuple[float | None, float | None]:
    """Return the SQNR in dB and the agreement, 0..1, that decide whether the file passes."""
    if metadata.quantization is None:
        return lowest(metadata.parity.comparisons)
    if metadata.quantization.accuracy is None:
        return lowest(metadata.parity.comparisons[:1])
    accuracy = metadata.quantization.accuracy
    return accuracy.sqnr_db, accuracy.argmax_agreement


def _on_accelerator(metadata: Metadata, name: str) -> str:
    """Return the lowest SQNR or agreement on an accelerator, or the status if not verified."""
    found = next((one for one in metadata.accelerators if one.name == name), None)
    if found is None:
        return "-"
    if found.status != "verified":
        return found.status
    sqnr, agreement = lowest(found.comparisons)
    return f"{100 * (agreement or 0):.3f} %" if sqnr is None else f"{sqnr:.1f} dB"


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} dB"
