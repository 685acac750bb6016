"""Running the tools of the smoke build."""

from pathlib import Path

from seaformer import processes
from seaformer.errors import SeaformerError

TIME_LIMIT_S = 1800.0
"""Each tool takes seconds, and a minute on a busy computer."""

MOST_SHOWN = 2000
"""Letters of what a tool said, from its end, that a message has room for."""


def run(program: Path, *arguments: object, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        SeaformerError: it fails; the message ends with what it said.
    """
    done = processes.run(
        [program, *map(str, arguments)], time_limit_s=TIME_LIMIT_S, merge=True, cwd=cwd
    )
    said = done.stdout.decode("utf-8", "replace")
    if done.status != 0:
        raise SeaformerError(
            f"{program.name} failed with exit status {done.status}: {said.strip()[-MOST_SHOWN:]}"
        )
    return said
