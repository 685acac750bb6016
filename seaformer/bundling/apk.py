"""Builds an APK without Gradle, with the smoke build in the folder of the app.

The smoke build compiles and checks the app's sources. Both are in a checkout, but not in an
installed package.
"""

import os
from pathlib import Path

from seaformer import processes
from seaformer.bundling.app_sources import how_to_get_app
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import atomic_write
from seaformer.interpreter import module_command
from seaformer.lines import Lines

BUILDER = "smoke_build"
"""Folder of the builder within the app, and the name of its Python module."""

_ERROR = "error: "


def require_builder(app: Path, console: Console) -> None:
    """Check that the folder of the app has the builder, and this computer the tools it needs.

    This check downloads and writes nothing.

    Raises:
        UsageError: the builder is missing.
        SeaformerError: tools are missing; the message names all of them.
    """
    if not (app / BUILDER / "__main__.py").is_file():
        raise UsageError(
            f"--apk needs the builder of a checkout of seaformer, and '{app}' has no {BUILDER}/. "
            f"{how_to_get_app()} Or omit --apk and build with Gradle."
        )
    _run_builder(console, app)


def build_apk(app: Path, apk: Path, console: Console, replace: bool) -> None:
    """Build the app into a signed APK with the builder in its folder.

    The builder runs in a separate process, which reports on the console. An existing APK is
    replaced only with `replace`.

    Raises:
        SeaformerError: a step failed; the message is the builder's.
    """
    with atomic_write(apk, replace=replace) as draft:
        _run_builder(console, app, str(draft))


def _run_builder(console: Console, app: Path, *apk: str) -> None:
    """Build the APK; without an argument, only check that all tools are installed."""
    errors: list[str] = []

    def on_line(line: str) -> None:
        if line.startswith(_ERROR):
            errors.append(line.removeprefix(_ERROR).rstrip())
        else:
            console.print(line)

    lines = Lines(on_line)
    done = processes.run(
        module_command(BUILDER, str(app.resolve()), *apk),
        time_limit_s=None,  # each tool that it runs has its own limit
        merge=True,
        on_stdout=lines.feed,
        environment=os.environ | {"PYTHONPATH": str(app.resolve())},
    )
    lines.finish()
    if done.status:
        raise SeaformerError(
            errors[-1] if errors else f"the builder ended with exit status {done.status}."
        )
