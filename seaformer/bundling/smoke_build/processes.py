"""Running the tools of the smoke build."""

import subprocess
from pathlib import Path

from seaformer.errors import SeaformerError


def run(program: Path, *arguments: object, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        SeaformerError: it fails; the message ends with what it said.
    """
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise SeaformerError(
            f"{program.name} failed with exit status {done.returncode}: {done.stdout.strip()}"
        )
    return done.stdout
