"""Running one command of the project from another, in a process of its own.

A benchmark needs exported files, and an export needs latencies. Exporting takes torch and
TensorFlow, which a benchmark may not import, and what they leave in memory and on the processor
would be measured with the models.
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
"""Command -> the module that it starts."""

NEEDS = {"seaformer-export": "export"}
"""Command -> the extra that it needs, if any."""

END_LIMIT_S = 5.0
"""How long the command may take to clean up after Ctrl-C, before it is ended."""


def run_command(
    name: str, arguments: Sequence[str], show: Callable[[str], None]
) -> tuple[Path, ...]:
    """Run a command of `MODULES` to its end.

    Args:
        name: of the command.
        arguments: of it.
        show: takes what it has just done, stage by stage.

    Returns:
        The files that it reports.

    Raises:
        MissingExtraError: it needs an extra that is not installed.
        SeaformerError: it failed; the message is the command's own.
        KeyboardInterrupt: Ctrl-C; the command has ended too.
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
        time_limit_s=None,  # how long an export takes depends on the network
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
    silent = f"exit status {status}, without a word"
    if status == -signal.SIGKILL:
        silent = "it was killed, as a system does that runs out of memory"
    said = (errors or lines or [silent])[-1].rstrip(".")
    return f"{said}. That was: {what}"
