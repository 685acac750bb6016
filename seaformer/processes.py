"""Running other programs, with limits on their time and output."""

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
"""Limit in bytes. Compilers, converters and package managers print a hundredth of it; a program
that prints endlessly would fill the memory within seconds."""

LINE_BYTES = 64
"""Additional bytes counted for each line, the overhead of a Python string."""

_TICK_S = 0.2
"""Interval at which a wait checks whether it has to end."""

_CHUNK = 1 << 16

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class OutputLimitError(SeaformerError):
    """A program exceeded the limit on its output and was stopped."""


class TookTooLongError(SeaformerError):
    """A program exceeded its time limit and was stopped."""


class CannotStartError(SeaformerError):
    """A program cannot be started; `reason` is the message of the system."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"'{name}' cannot be started: {reason}.")
        self.reason = reason


@dataclass(frozen=True)
class Done:
    """A program that has ended, with its exit status, or -n if signal n ended it.

    `stdout` is empty if it was passed to `on_stdout`; it includes stderr if they were merged.
    """

    status: int
    stdout: bytes
    stderr: bytes


def ending_in_words(status: int) -> str:
    """Describe how a program ended, by its exit status, which is -n if signal n ended it."""
    if status == -signal.SIGKILL:
        return "killed by the system, perhaps for lack of memory"
    if status < 0:
        return (signal.strsignal(-status) or f"signal {-status}").lower()
    return f"exit status {status}"


class Allowance:
    """The amount a program may print: `limit` bytes, with `LINE_BYTES` counted per line."""

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self.limit = limit
        self._left = limit

    def covers(self, data: bytes) -> bool:
        """Count the next bytes; return whether the total is within the limit."""
        self._left -= len(data) + LINE_BYTES * data.count(b"\n")
        return self._left >= 0


class _Reports:
    """A pipe on which a program reports, in addition to its output, and the callback for it.

    An environment variable contains the descriptor for writing, which only the program keeps open.
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

    The program and all its child processes are killed when this function is left by an exception,
    including Ctrl-C. On Linux, the program also ends when this process is killed.

    Args:
        command: the program and its arguments.
        time_limit_s: time limit; None for no limit.
        output_limit: limit on its output, counted by `Allowance`.
        on_stdout: called with stdout as it arrives, instead of collecting it.
        merge: whether its stderr is merged into its stdout.
        cwd: working directory; None for the directory of this process.
        environment: its environment variables; None for the environment of this process.
        report_to: an environment variable, which is set to the number of a descriptor, and a
            callback for the bytes that the program writes to that descriptor; they count towards
            the same limit.
        tick: called several times per second; an exception from it stops the program.
        grace_s: time that the program has to clean up after a TERM, before it is killed.

    Raises:
        CannotStartError: there is no such program, or it is not executable.
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
            start_new_session=True,  # a process group, which can be killed as a whole
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
            raise TookTooLongError(f"'{name}' took longer than {time_limit_s:g} s and was stopped.")

    def take(sink: Callable[[bytes], None], data: bytes) -> None:
        if not allowance.covers(data):
            raise OutputLimitError(
                f"'{name}' printed more than {output_limit / 2**20:g} MiB and was stopped. Run it "
                "manually to see what it prints."
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
        while process.poll() is None:  # it closed its output but is still running
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
    """Return a function that makes a new process receive a signal when this thread ends.

    It runs between fork and exec, where nothing may be imported or locked, and therefore makes only
    system calls. External programs do not watch a pipe, so the kernel has to end them. The kernel
    watches the thread that waits for the program. None if not on Linux.
    """
    if _LIBC is None:
        return None
    parent, set_signal = os.getpid(), _LIBC.prctl

    def ask_kernel() -> None:
        set_signal(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # the parent was killed before the call
            os._exit(1)

    return ask_kernel


def _end(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """Stop a program that is still running."""
    if process.returncode is None and grace_s:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(grace_s)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
