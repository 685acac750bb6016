"""The folder for results, used by one benchmark at a time.

During a benchmark, `UNFINISHED_NAME` is written after every round, in the format of `FILE_NAME`. It
is removed when the final file is written, so it only remains if a benchmark was killed.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from seaformer.benchmark.presentation.breakdown_files import write_breakdowns
from seaformer.benchmark.presentation.results_csv import to_csv
from seaformer.benchmark.report.benchmark_page import Source, write_report
from seaformer.benchmark.results.schema import (
    CSV_NAME,
    FILE_NAME,
    REPORT_NAME,
    UNFINISHED_NAME,
    Results,
)
from seaformer.errors import SeaformerError, UsageError, explanation
from seaformer.files import write_text

LOCK_NAME = ".seaformer-lock"
"""File that a running benchmark locks."""


@dataclass(frozen=True)
class ResultsFolder:
    """The folder for the results of one benchmark on one device, created when needed."""

    path: Path

    @property
    def file(self) -> Path:
        """The results.json."""
        return self.path / FILE_NAME

    @property
    def unfinished(self) -> Path:
        """The file with the results so far."""
        return self.path / UNFINISHED_NAME

    def save(self, results: Results) -> None:
        """Save the results so far; raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.unfinished, results.text())

    def write(self, results: Results) -> None:
        """Write all files, results.json first, because the others can be recreated from it.

        Raises:
            SeaformerError: a file cannot be written; the message names the file with the results.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.file, results.text())
        except OSError as error:
            raise self._failure(error, self._write_elsewhere(results)) from error
        try:
            self.unfinished.unlink(missing_ok=True)
            write_text(self.path / CSV_NAME, to_csv(results))
            write_breakdowns(self.path, results)
            write_report(self.path / REPORT_NAME, [Source(FILE_NAME, results)])
        except Exception as error:  # The results of other devices still have to be written.
            raise self._failure(error, self.file) from error

    def _write_elsewhere(self, results: Results) -> Path | None:
        """Write the results to the folder for temporary files; return the file."""
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="seaformer-results-"), FILE_NAME)
            write_text(elsewhere, results.text())
        except OSError:
            return self.unfinished if self.unfinished.is_file() else None
        return elsewhere

    def _failure(self, error: Exception, kept: Path | None) -> SeaformerError:
        problem = f"Not all results can be saved in '{self.path}' ({explanation(error)})"
        if kept is None:
            return SeaformerError(f"{problem}. Free some space, and measure again.")
        return SeaformerError(
            f"{problem}. '{kept}' has the measurements; render it with 'seaformer-benchmark "
            "report'."
        )


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Reserve a folder, creating it if needed; it is removed if it stays empty.

    Raises:
        UsageError: another benchmark has reserved it, or it is not writable.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
    except OSError as error:
        raise UsageError(
            f"--output '{folder}' is not writable: {error.strerror}. Give another folder."
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK_NAME).unlink()
            if is_new:
                folder.rmdir()
        lock.close()


def _lock(folder: Path) -> TextIO:
    """Lock a file in a folder until the file is closed or the process ends."""
    path = folder / LOCK_NAME
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                process = file.read(20).strip()
            raise UsageError(
                f"--output '{folder}' is in use by another benchmark (process {process}). Give "
                "another folder, or wait until it ends."
            ) from None
        except OSError:
            return file  # a file system without locks
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        file.close()  # its benchmark has just ended and removed it
