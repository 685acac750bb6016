"""Running a command and measuring the most memory that it took."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from exporting import environment

LIMIT_BYTES = 1_000_000_000
"""Importing torch and TensorFlow takes half of it, what never ends takes more within a second."""


_MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(f"{status} {1024 * peak}")
"""
"""In a process between: a program begins with the peak of the one that starts it."""


@dataclass(frozen=True)
class Measured:
    """A command that came to its end.

    Attributes:
        status: its exit status.
        said: all that it printed.
        peak_bytes: of resident memory, of the command or of a program that it started.
    """

    status: int
    said: str
    peak_bytes: int


def run_measured(
    command: Sequence[str | Path], cwd: Path, extra: Mapping[str, str] | None = None
) -> Measured:
    """Run a command to its end in a folder; `extra` joins the environment."""
    with TemporaryFile() as output, NamedTemporaryFile("r") as found:
        subprocess.run(
            [sys.executable, "-c", _MEASURE, found.name, *map(str, command)],
            cwd=cwd,
            env=environment(**(extra or {})),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )
        status, peak_bytes = map(int, found.read().split())
        output.seek(0)
        return Measured(status, output.read().decode("utf-8", "replace"), peak_bytes)


def assert_refused(done: Measured, said: str) -> None:
    """Expect one line of error that says `said`, and no more memory than a command needs."""
    assert done.status in (1, 2), done.said
    errors = [line for line in done.said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.said
    assert said in errors[0], done.said
    assert "Traceback" not in done.said
    assert done.peak_bytes < LIMIT_BYTES, f"{done.peak_bytes / 1e6:.0f} MB"
