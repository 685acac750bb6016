"""Pressing Ctrl-C while a benchmark measures."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from exporting import environment

BENCHMARK = Path(sys.executable).with_name("seaformer-benchmark")


def interrupted(*arguments: str | Path) -> tuple[int, str]:
    """Run seaformer-benchmark until a tenth is measured, and press Ctrl-C.

    Returns:
        Exit status, and what came on standard error after that.
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
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors
