"""Running other programs, with limits on their time and on what they may print."""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError

OUTPUT_LIMIT = 64 * 2**20
"""Bytes. Compilers, converters and package managers print a hundredth of it; one that does not stop
would take all memory within seconds."""

LINE_BYTES = 64
"""What a line counts for besides its letters, as Python takes it for a string."""

_TICK_S = 0.2
"""How often a wait looks whether it has to end."""

_CHUNK = 1 << 16

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class OutputLimitError(SeaformerError):
    """A program printed more than it may; it was ended."""


class TookTooLongError(SeaformerError):
    """A program took longer than it may; it was ended."""


class CannotStartError(SeaformerError):
    """A program does not start; `reason` is why, in the system's words."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"'{name}' does not start: {reason}.")
        self.reason = reason


@dataclass(frozen=True)
class Done:
    """A program that came to its end, with its exit status, or -n if signal n ended it.

    `stdout` is all that was not given to `on_stdout`, with stderr if they were merged.
    """

    status: int
    stdout: bytes
    stderr: bytes


def ending_in_words(status: int) -> str:
    """How a program ended, by its exit status, which is -n if signal n ended it."""
    if status == -signal.SIGKILL:
        return "killed by the system, perhaps for lack of memory"
    if status < 0:
        return (signal.strsignal(-status) or f"signal {-status}").lower()
    return f"exit status {status}"


class Allowance:
    """How much a program may print: `limit` bytes, of which a line takes `LINE_BYTES` more."""

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self.limit = limit
        self._left = limit

    def covers(self, data: bytes) -> bool:
        """Take what came next; return whether that was within the limit."""
        self._left -= len(data) + LINE_BYTES * data.count(b"\n")
        return self._left >= 0


class _Reports:
    """A pipe that a program reports on, beside what it prints, and what takes that.

    An environment variable tells it the descriptor for writing, which it alone has once started.
    """

    def __init__(self, variable: str, sink: Callable[[bytes], None]) -> None:
        self.variable, self.sink = variable, sink
        reading, self.writing = os.pipe()
        self.pipe = os.fdopen(reading, "rb")


def run(
    command: Sequence[str | Path],
    *,
    time_limit_s: float | None,
    output_limit: int = OUTPUT_LIMIT,
    on_stdout: Callable[[bytes], None] | None = None,
    merge: bool = False,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    report_to: tuple[str, Callable[[bytes], None]] | None = None,
    tick: Callable[[], None] = lambda: None,
    grace_s: float = 0.0,
) -> Done:
    """Run a program without input, and wait for its end.

    It and all that it started are ended when this is left by an exception, Ctrl-C included. On
    Linux it also ends when this process is killed.

    Args:
        command: the program and its arguments.
        time_limit_s: how long it may take; None if that is open.
        output_limit: how much it may print, as `Allowance` counts.
        on_stdout: called with stdout as it comes, instead of keeping it.
        merge: whether its stderr goes where its stdout goes.
        cwd: folder that it works in; None for that of this process.
        environment: its environment variables; None for those of this process.
        report_to: an environment variable, and what is called with the bytes that the program
            writes to the descriptor whose number stands in it: a third pipe, within the same limit.
        tick: called several times a second; what it raises ends the program.
        grace_s: how long it may take to clean up when it is ended, after a TERM.

    Raises:
        CannotStartError: there is no such program, or it may not be run.
        OutputLimitError: it printed too much.
        TookTooLongError: it took too long.
    """
    name = Path(command[0]).name
    variables = dict(os.environ if environment is None else environment)
    reports = None if report_to is None else _Reports(*report_to)
    if reports is not None:
        variables[reports.variable] = str(reports.writing)
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=variables,
            pass_fds=() if reports is None else (reports.writing,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            start_new_session=True,  # a group, that can be ended with all it started
            preexec_fn=_ending_with_parent(signal.SIGTERM if grace_s else signal.SIGKILL),
        )
    except OSError as error:
        if reports is not None:
            reports.pipe.close()
        raise CannotStartError(name, error.strerror or str(error)) from error
    finally:
        if reports is not None:
            os.close(reports.writing)
    stdout, stderr = bytearray(), bytearray()
    sinks = {process.stdout: on_stdout or stdout.extend, process.stderr: stderr.extend}
    if reports is not None:
        sinks[reports.pipe] = reports.sink
    allowance = Allowance(output_limit)
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s

    def check() -> None:
        tick()
        if deadline is not None and time.monotonic() >= deadline:
            raise TookTooLongError(f"'{name}' took longer than {time_limit_s:g} s and was ended.")

    def take(sink: Callable[[bytes], None], data: bytes) -> None:
        if not allowance.covers(data):
            raise OutputLimitError(
                f"'{name}' printed more than {output_limit / 2**20:g} MiB and was ended. Run it by "
                "hand to see what it prints."
            )
        sink(data)

    try:
        with selectors.DefaultSelector() as selector:
            for pipe, sink in sinks.items():
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, sink)
            while selector.get_map():
                check()
                for key, _ in selector.select(_TICK_S):
                    if data := os.read(key.fd, _CHUNK):
                        take(key.data, data)
                    else:
                        selector.unregister(key.fileobj)
        while process.poll() is None:  # it closed its output and works on
            check()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TICK_S)
    finally:
        _end(process, grace_s)
        for pipe in sinks:
            if pipe is not None:
                pipe.close()
    return Done(process.returncode, bytes(stdout), bytes(stderr))


def _ending_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what makes a new process receive a signal when this thread has ended; None elsewhere.

    It runs between fork and exec, where nothing may be imported or locked: it makes system calls
    only. Programs of others watch no pipe, so that the kernel has to end them. It goes by the
    thread, which is the one that waits for the program.
    """
    if _LIBC is None:
        return None
    parent, set_signal = os.getpid(), _LIBC.prctl

    def ask_kernel() -> None:
        set_signal(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it was killed before the call
            os._exit(1)

    return ask_kernel


def _end(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """End what still runs of a program."""
    if process.returncode is None and grace_s:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(grace_s)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
