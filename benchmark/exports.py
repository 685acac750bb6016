"""Other commands of the project that a benchmark needs: `seaformer-export` makes it model files.

They run in processes of their own: exporting needs torch and TensorFlow, which nothing here may
know, and what they leave in memory and on the processor would be measured with the models.
"""

import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from seaformer.benchmark.backends import BACKENDS
from seaformer.errors import SeaformerError
from seaformer.interpreter import module_command

EXPORT = "seaformer-export"

MODULES = {EXPORT: "seaformer.export.cli", "seaformer-evaluate": "seaformer.evaluate"}
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
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
        process = subprocess.Popen(
            module_command(MODULES[name], *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # a group that can be ended with all it started
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if stage := STAGE.match(line):
                    tell(stage[1])
            process.wait()
        finally:
            _end(process)
            process.stdout.close()
        if process.returncode:
            stderr.seek(0)
            what = shlex.join([name, *arguments])
            raise SeaformerError(_failure(process.returncode, what, stderr.read()))


def _end(process: "subprocess.Popen[str]") -> None:
    """End what still runs: by Ctrl-C, so that it cleans up; then by force, with its children."""
    if process.poll() is not None:
        return
    with suppress(subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(END_LIMIT_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(status: int, what: str, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    silent = f"exit status {status}, without a word"
    if status == -signal.SIGKILL:
        silent = "it was killed, as a system does that runs out of memory"
    said = (errors or lines or [silent])[-1].rstrip(".")
    return f"{said}. That was: {what}"
