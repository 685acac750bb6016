"""Other commands of the project that a benchmark needs: `seaformer-export` makes it model files.

They run in processes of their own: exporting needs torch and TensorFlow, which nothing here may
know, and what they leave in memory and on the processor would be measured with the models.
"""

import os
import re
import shlex
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from seaformer import processes
from seaformer.benchmark.backends import BACKENDS
from seaformer.errors import SeaformerError
from seaformer.interpreter import module_command
from seaformer.lines import Lines

EXPORT = "seaformer-export"

MODULES = {EXPORT: "seaformer.export.cli", "seaformer-evaluate": "seaformer.cli.evaluate"}
"""Command -> the module that it starts."""

SUFFIXES = frozenset(backend.suffix for backend in BACKENDS.values())

STAGE = re.compile(r"✓ (.+?)\s{2,}")
"""A line of the command's output about a piece of work that is done."""

END_LIMIT_S = 5.0
"""How long the command may take to clean up after Ctrl-C, before it is ended."""


def export_models(
    arguments: Sequence[str], folder: Path, tell: Callable[[str], None]
) -> tuple[Path, ...]:
    """Run one export command.

    Args:
        arguments: of seaformer-export, without --output.
        folder: where the files go; made if it is not there. Files in it that the command would
            replace are an error, unless `arguments` have --force.
        tell: takes what the command has just done, in a few words, for a display of progress.

    Returns:
        The model files that it wrote, by name.

    Raises:
        SeaformerError: it failed; the message is the command's own.
        KeyboardInterrupt: Ctrl-C; the command has ended too.
    """
    before = _models(folder)
    run_command(EXPORT, [*arguments, "--output", str(folder)], tell)
    after = _models(folder)
    return tuple(path for path in sorted(after) if after[path] != before.get(path))


def _models(folder: Path) -> dict[Path, tuple[int, int]]:
    """Model file -> what changes when it is written again: every file is a new one, renamed."""
    found = (path for path in folder.glob("*") if path.suffix in SUFFIXES)
    states = ((path, path.stat()) for path in found)
    return {path: (state.st_ino, state.st_mtime_ns) for path, state in states}


def run_command(name: str, arguments: Sequence[str], tell: Callable[[str], None]) -> None:
    """Run a command of `MODULES` to its end.

    Args:
        name: of the command.
        arguments: of it.
        tell: takes what it has just done, where it says that stage by stage.

    Raises:
        SeaformerError: it failed; the message is the command's own.
        KeyboardInterrupt: Ctrl-C; the command has ended too.
    """

    def on_line(line: str) -> None:
        if stage := STAGE.match(line):
            tell(stage[1])

    lines = Lines(on_line)
    done = processes.run(
        module_command(MODULES[name], *arguments),
        time_limit_s=None,  # how long an export takes depends on the network
        on_stdout=lines.feed,
        environment=os.environ | {"PYTHONIOENCODING": "utf-8"},
        grace_s=END_LIMIT_S,
    )
    lines.finish()
    if done.status:
        what = shlex.join([name, *arguments])
        raise SeaformerError(_failure(done.status, what, done.stderr.decode("utf-8", "replace")))


def _failure(status: int, what: str, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    silent = f"exit status {status}, without a word"
    if status == -signal.SIGKILL:
        silent = "it was killed, as a system does that runs out of memory"
    said = (errors or lines or [silent])[-1].rstrip(".")
    return f"{said}. That was: {what}"
