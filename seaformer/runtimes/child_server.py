"""The child's end of `child_process`: its resource limits and its request loop."""

import fcntl
import os
import resource
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any

import psutil

from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.channel import Array, Channel, Message
from seaformer.runtimes.session import reason

MEMORY_SHARE = 0.8
"""Share of the free memory at its start that the process may use."""

MIN_MEMORY_BYTES = 1 << 30
MAX_STDERR_BYTES = 1 << 20


def serve(answer: Callable[[dict[str, Any], Sequence[Array]], Message]) -> None:
    """Answer requests until the parent closes the connection or ends this process.

    `answer` maps the fields and arrays of a request to the fields and arrays of the answer; its
    exceptions are sent to the parent as text.
    """
    channel = Channel(socket.socket(fileno=os.dup(0)))
    _end_with_parent(int(sys.argv[1]))
    memory_bytes = _limit_resources()
    with suppress(EOFError, OSError):
        while True:
            fields, arrays = channel.receive(None)
            try:
                reply = answer(fields, arrays)
            except SeaformerError as error:
                reply = {"error": str(error), "is_usage": isinstance(error, UsageError)}, []
            except MemoryError:
                limit = f"{memory_bytes / 1e9:.1f} GB"
                reply = {"failure": f"it needs more memory than the allowed {limit}"}, []
            except Exception as error:  # libraries raise any exception for a damaged file
                traceback.print_exc()
                reply = {"failure": reason(error)}, []
            channel.send(*reply, None)


def _end_with_parent(lifeline: int) -> None:
    """Let the kernel end this process when the other end of a pipe is closed.

    The kernel then sends SIGIO, which also ends a process that is busy in a library.
    PR_SET_PDEATHSIG would be bound to a thread of the parent rather than to the parent.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select([lifeline], [], [], 0)[0]:  # already closed
        sys.exit(1)


def let_files_grow() -> None:
    """Lift the limit on file sizes for a process whose library writes files itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def _limit_resources() -> int:
    """Limit the resources of this process; return its memory limit in bytes."""
    memory_bytes = max(MIN_MEMORY_BYTES, int(MEMORY_SHARE * psutil.virtual_memory().available))
    # Not RLIMIT_AS, which also counts reserved address space and the mapped file.
    for limit, value in (
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MAX_STDERR_BYTES),
    ):
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, hard))
    # If memory runs out nevertheless, as in a container, the kernel should kill this process first.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    return memory_bytes
