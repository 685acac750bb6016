"""Running commands where there is no network, and seeing what they would have sent."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

REQUIRED = "SEAFORMER_REQUIRE_NETWORK_WATCH"
"""Set where the tests have to run, as in continuous integration: they fail instead of skipping."""

CALLS = "connect,sendto,sendmsg,sendmmsg,openat"

ATTEMPT = re.compile(r"(connect|send\w+)\(.*AF_INET|openat\(.*\"/etc/(hosts|resolv\.conf)\"")
"""A packet or a connection to an address, or the look-up of a name, in a line of strace."""


def watched(command: Sequence[str | Path], trace: Path) -> list[str | Path]:
    """Return the command that runs another without a network, and writes what it tries.

    Args:
        command: the one to run, with all that it starts.
        trace: file for `attempts`.
    """
    users = () if os.geteuid() == 0 else ("--map-root-user",)
    strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS}", "-o", trace)
    return ["unshare", "--net", *users, *strace, *command]


def attempts(trace: Path) -> list[str]:
    """Return the lines of a trace that show an attempt to reach something over a network."""
    return [line for line in trace.read_text().splitlines() if ATTEMPT.search(line)]


def require_tools(folder: Path) -> None:
    """Skip the test where commands cannot be watched; fail where they have to be."""
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
