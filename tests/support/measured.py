"""Runs a command and measures its peak memory."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from exporting import environment

LIMIT_BYTES = 1_000_000_000
"""Importing torch and TensorFlow takes half of it; an endless answer exceeds it within a second."""


_MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(f"{status} {1024 * peak}")
"""
"""Runs in an intermediate process, as a program inherits the peak memory of its parent."""


@dataclass(frozen=True)
class Measured:
    """The result of a command.

    Attributes:
        status: its exit status.
        output: its output.
        peak_bytes: peak of the resident memory of the command or of a program that it started.
    """

    status: int
    output: str
    peak_bytes: int


def run_measured(
    command: Sequence[str | Path], cwd: Path, extra: Mapping[str, str] | None = None
) -> Measured:
    """Run a command in a folder; `extra` is added to the environment."""
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


def assert_refused(done: Measured, message: str) -> None:
    """Check for a single error line that contains `message`, and for limited memory."""
    assert done.status in (1, 2), done.output
    errors = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.output
    assert message in errors[0], done.output
    assert "Traceback" not in done.output
    assert done.peak_bytes < LIMIT_BYTES, f"{done.peak_bytes / 1e6:.0f} MB"
