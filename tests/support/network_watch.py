"""Runs commands without a network, and records their attempts to use one."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

REQUIRED = "SEAFORMER_REQUIRE_NETWORK_WATCH"
"""If set, as in CI, the tests fail instead of being skipped."""

CALLS = "connect,sendto,sendmsg,sendmmsg,openat"

ATTEMPT = re.compile(r"(connect|send\w+)\(.*AF_INET|openat\(.*\"/etc/(hosts|resolv\.conf)\"")
"""Matches a line of strace with a packet, a connection or a name lookup."""


def watched(command: Sequence[str | Path], trace: Path) -> list[str | Path]:
    """Return a command that runs another one without a network, and traces its network calls.

    Args:
        command: the command to run; its child processes are traced too.
        trace: output file, to be read by `attempts`.
    """
    users = () if os.geteuid() == 0 else ("--map-root-user",)
    strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS}", "-o", trace)
    return ["unshare", "--net", *users, *strace, *command]


def attempts(trace: Path) -> list[str]:
    """Return the lines of a trace that show an attempt to use a network."""
    return [line for line in trace.read_text().splitlines() if ATTEMPT.search(line)]


def require_tools(folder: Path) -> None:
    """Skip the test if commands cannot be traced; fail if that is required."""
    try:
        done = subprocess.run(
            watched(["true"], folder / "trace"), capture_output=True, text=True, check=False
        )
        problem = done.stderr.strip() if done.returncode else None
    except FileNotFoundError as error:
        problem = f"no {error.filename} (Debian: apt install util-linux strace)"
    if problem is None:
        return
    if os.environ.get(REQUIRED):
        pytest.fail(f"the network cannot be watched: {problem}")
    pytest.skip(f"the network cannot be watched: {problem}")
