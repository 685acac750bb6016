"""Interrupting a benchmark while it measures."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from exporting import environment

BENCHMARK = Path(sys.executable).with_name("seaformer-benchmark")


def interrupted(
    *arguments: str | Path, signals: Sequence[signal.Signals] = (signal.SIGINT,)
) -> tuple[int, str]:
    """Run seaformer-benchmark until a tenth is measured, then send signals (Ctrl-C by default).

    Several signals are sent one after another, until the process has ended.

    Returns:
        Exit status, and the standard error after the first signal.
    """
    process = subprocess.Popen(
        [BENCHMARK, *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    while "measuring" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    while "runs" not in (line := process.stderr.readline()):
        assert line, "it ended before a tenth was measured"
    for number in signals:
        with suppress(subprocess.TimeoutExpired, ProcessLookupError):
            os.killpg(process.pid, number)
            process.wait(0.05)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors
