"""Runs the real benchmark command against a loopback phone."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from exporting import environment
from loopback_phone.phone import LoopbackPhone
from loopback_phone.waiting import wait_until

from seaformer.benchmark.results.schema import Results, read_results

LIMIT_S = 480
"""Time limit for a command; long enough that only a hanging command reaches it."""


@dataclass(frozen=True)
class Ended:
    """The result of a command that has ended."""

    status: int
    output: str
    errors: str

    @property
    def error(self) -> str:
        """The single error line."""
        assert "Traceback" not in self.errors
        lines = [line for line in self.errors.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.errors
        assert self.errors.rstrip("\n").endswith(lines[0])
        return lines[0]


class Benchmark:
    """The running command, in its own session.

    Attributes:
        results: folder of its results, if it measures.
    """

    def __init__(self, folder: Path, *arguments: str | Path) -> None:
        self.results = folder / "results"
        self._errors = folder / "stderr"
        measures = arguments[0] not in ("devices", "doctor")
        output = ("--output", self.results) if measures else ()
        command = [sys.executable, "-m", "seaformer.benchmark.cli"]
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [*command, *map(str, (*arguments, *output))],
                cwd=folder,
                env=environment(COLUMNS="200"),  # tables that are not wrapped
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def wait_until_it_prints(self, text: str) -> None:
        """Wait for `text` on stderr."""

        def is_printed() -> bool:
            found = text in self._errors.read_text()
            assert found or self._process.poll() is None, self._errors.read_text()
            return found

        wait_until(is_printed, f"the command prints '{text}'", LIMIT_S)

    def wait_for_runner(self, phone: LoopbackPhone) -> psutil.Process:
        """Wait until a new runner starts on the phone, and return its process.

        A runner that is already running is ignored, as it may end at any moment.
        """
        before, now = phone.program_called("/runner"), None

        def has_started() -> bool:
            nonlocal now
            assert self._process.poll() is None, self._errors.read_text()
            now = phone.program_called("/runner")
            return now is not None and now != before

        wait_until(has_started, "a runner starts", LIMIT_S)
        assert now is not None
        return now

    def press_ctrl_c(self, times: int = 1) -> None:
        for _ in range(times):
            os.kill(self._process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                return

    def ended(self) -> Ended:
        """Wait for the end of the command; check that none of its processes is still running."""
        try:
            output, _ = self._process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            raise AssertionError(f"the command hangs: {self._errors.read_text()}") from None
        assert _session_of(self._process.pid) == []
        return Ended(self._process.returncode, output, self._errors.read_text())

    def saved(self) -> Results:
        """Return the results that it wrote."""
        return read_results(self.results)


def benchmark(folder: Path, *arguments: str | Path) -> Ended:
    """Run the command and wait for its end."""
    return Benchmark(folder, *arguments).ended()


def assert_left_clean(phone: LoopbackPhone) -> None:
    """Check that no program runs and no file is stored on the phone."""
    assert phone.programs() == []
    assert phone.left_files() == []


def _session_of(leader: int) -> list[str]:
    """Return the command lines of the processes in a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (ProcessLookupError, psutil.Error):
            continue
    return found
