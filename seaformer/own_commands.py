"""Running one command of the project from another, in a separate process.

A benchmark needs exported files, and an export needs latencies. Exporting needs torch and
TensorFlow, which a benchmark must not import: their memory and threads would affect measurements.
"""

import os
import shlex
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from seaformer import processes
from seaformer.errors import SeaformerError
from seaformer.extras import require
from seaformer.interpreter import module_command
from seaformer.lines import Lines
from seaformer.progress_events import VARIABLE, FileWritten, StageAdvanced, read_event

MODULES = {
    "seaformer-export": "seaformer.export.cli",
    "seaformer-evaluate": "seaformer.cli.evaluate",
    "seaformer-benchmark": "seaformer.benchmark.cli",
}
"""Command -> its module."""

NEEDS = {"seaformer-export": "export"}
"""Command -> the extra that it needs."""

END_LIMIT_S = 5.0
"""Time for the command to clean up after Ctrl-C before it is killed."""


def run_command(
    name: str, arguments: Sequence[str], show: Callable[[str], None]
) -> tuple[Path, ...]:
    """Run a command of `MODULES` to completion.

    Args:
        name: name of the command.
        arguments: its arguments.
        show: called with a description of each finished stage.

    Returns:
        The files that the command has written.

    Raises:
        MissingExtraError: the command needs an extra that is not installed.
        SeaformerError: the command failed, with the command's message.
        KeyboardInterrupt: Ctrl-C; the command was stopped too.
    """
    if name in NEEDS:
        require(NEEDS[name])
    written: list[Path] = []

    def on_line(line: str) -> None:
        event = read_event(line)
        if isinstance(event, FileWritten):
            written.append(event.path)
        elif isinstance(event, StageAdvanced):
            show(f"{event.title}: {event.done} of {event.total}")
        else:
            show(event.title)

    lines = Lines(on_line)
    done = processes.run(
        module_command(MODULES[name], *arguments),
        time_limit_s=None,  # the duration of an export depends on the network
        on_stdout=lambda _: None,
        environment=os.environ | {"PYTHONIOENCODING": "utf-8"},
        report_to=(VARIABLE, lines.feed),
        grace_s=END_LIMIT_S,
    )
    if done.status:
        what = shlex.join([name, *arguments])
        raise SeaformerError(_failure(done.status, what, done.stderr.decode("utf-8", "replace")))
    lines.finish()
    return tuple(written)


def _failure(status: int, what: str, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    default = f"exit status {status}, without a message"
    if status == -signal.SIGKILL:
        default = "it was killed, probably for lack of memory"
    message = (errors or lines or [default])[-1].rstrip(".")
    return f"{message}. Command: {what}"
