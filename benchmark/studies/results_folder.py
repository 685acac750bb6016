"""The folder that results are written to: nobody else's at the same time, and saved piece by piece.

While it is measured, `UNFINISHED_NAME` holds what there is after every round, in the format of
`FILE_NAME`. It is there as long as that could not be written whole: after a benchmark that was
killed, or on a full disk.
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
"""File that a benchmark holds a lock on as long as it writes into its folder."""


@dataclass(frozen=True)
class ResultsFolder:
    """Where the results of one benchmark on one device go; it need not exist."""

    path: Path

    @property
    def file(self) -> Path:
        """The results.json."""
        return self.path / FILE_NAME

    @property
    def unfinished(self) -> Path:
        """What there is of it while it is measured."""
        return self.path / UNFINISHED_NAME

    def save(self, results: Results) -> None:
        """Save what was measured so far; raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.unfinished, results.text())

    def write(self, results: Results) -> None:
        """Write all files, the one that the others can be made from first.

        Raises:
            SeaformerError: they cannot all be written; it says where what was measured is instead.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.file, results.text())
        except OSError as error:
            raise self._failure(error, self._rescued(results)) from error
        try:
            self.unfinished.unlink(missing_ok=True)
            write_text(self.path / CSV_NAME, to_csv(results))
            write_breakdowns(self.path, results)
            write_report(self.path / REPORT_NAME, [Source(FILE_NAME, results)])
        except OSError as error:
            raise self._failure(error, self.file) from error

    def _rescued(self, results: Results) -> Path | None:
        """Write the results where temporary files are; return the path of what there is at last."""
        try:
            rescued = Path(tempfile.mkdtemp(prefix="seaformer-results-"), FILE_NAME)
            write_text(rescued, results.text())
        except OSError:
            return self.unfinished if self.unfinished.is_file() else None
        return rescued

    def _failure(self, error: OSError, kept: Path | None) -> SeaformerError:
        problem = f"Not all results can be saved in '{self.path}' ({explanation(error)})"
        if kept is None:
            return SeaformerError(f"{problem}. Make room, and measure again.")
        return SeaformerError(
            f"{problem}: '{kept}' has what was measured. Make room, and draw it with "
            "'seaformer-benchmark report'."
        )


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Have a folder to oneself, made if it is not there; an empty one that was made is removed.

    Raises:
        UsageError: another benchmark is writing into it.
        OSError: it cannot be made.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK_NAME).unlink()
            if is_new:
                folder.rmdir()
        lock.close()


def _lock(folder: Path) -> TextIO:
    """Lock a file in a folder; the lock ends with the file, and with the process."""
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
                "another folder, or wait for its end."
            ) from None
        except OSError:
            return file  # a file system without locks
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        file.close()  # It was that of a benchmark which has just ended.
