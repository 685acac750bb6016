"""Progress of benchmarks: a bar for each device on a terminal, lines of text elsewhere.

A closed terminal or a full disk does not stop a benchmark.
"""

import threading
from contextlib import suppress
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from seaformer.console import Console
from seaformer.progress_events import StageAdvanced, notify

_TENTHS = 10


class Progress:
    """Shows the progress of devices on stderr. A context manager, usable from any thread."""

    def __init__(self, console: Console) -> None:
        """Create a display; a console that is not a terminal gets lines instead of bars."""
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Start the display."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bars."""
        with suppress(OSError):
            self._bars.stop()

    def describe(self, serial: str, text: str) -> None:
        """Show the current activity of a device."""
        with self._lock:
            if serial not in self._tasks:
                self._tasks[serial] = self._bars.add_task("", total=None)
            task, line = self._bars.tasks[self._tasks[serial]], f"{serial}: {text}"
            if task.description != line:
                self._bars.update(task.id, description=line)
                self._line(line)

    def expect(self, serial: str, runs: int | None) -> None:
        """Set the number of timed runs on a device; None if it is unknown."""
        with self._lock:
            self._bars.update(self._tasks[serial], total=runs)

    def advance(self, serial: str, runs: int) -> None:
        """Add finished timed runs."""
        with self._lock:
            task = self._bars.tasks[self._tasks[serial]]
            before, total = task.completed, task.total
            self._bars.advance(task.id, runs)
            if total:
                done = int(task.completed)
                notify(StageAdvanced(title=f"measure on {serial}", done=done, total=int(total)))
            if total and _TENTHS * before // total < _TENTHS * task.completed // total:
                self._line(f"{serial}: {task.completed:.0f} of {total:.0f} runs")

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            with suppress(OSError):
                self._console.print(text, soft_wrap=True)
