"""An APK without Gradle, by the builder that stands beside the app's sources.

The builder compiles and checks the app; users of an installed package have neither it nor the
sources, so it is in the checkout only.
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
"""Folder of the app that has the builder, and the name of its module."""

_ERROR = "error: "


def require_builder(app: Path, console: Console) -> None:
    """Check that the folder of the app has the builder, and this computer what that needs.

    Nothing is downloaded or written before.

    Raises:
        UsageError: there is no builder.
        SeaformerError: tools are missing; the message names all.
    """
    if not (app / BUILDER / "__main__.py").is_file():
        raise UsageError(
            f"--apk needs the builder of a checkout of seaformer, and '{app}' has no {BUILDER}/. "
            f"{how_to_get_app()} Or leave --apk out and build with Gradle."
        )
    _run_builder(console, app)


def build_apk(app: Path, apk: Path, console: Console, replace: bool) -> None:
    """Build the app, by the code of the builder in its folder, into a signed APK.

    That is a process of its own, which reports on the console. An APK that is there is replaced if
    `replace` says so.

    Raises:
        SeaformerError: a step failed; the message is the builder's.
    """
    with atomic_write(apk, replace=replace) as draft:
        _run_builder(console, app, str(draft))


def _run_builder(console: Console, app: Path, *apk: str) -> None:
    """Build an APK; without one, only check that all tools are there."""
    errors: list[str] = []

    def on_line(line: str) -> None:
        if line.startswith(_ERROR):
            errors.append(line.removeprefix(_ERROR).rstrip())
        else:
            console.print(line)

    lines = Lines(on_line)
    done = processes.run(
        module_command(BUILDER, str(app.resolve()), *apk),
        time_limit_s=None,  # each of its tools has a limit
        merge=True,
        on_stdout=lines.feed,
        environment=os.environ | {"PYTHONPATH": str(app.resolve())},
    )
    lines.finish()
    if done.status:
        raise SeaformerError(
            errors[-1] if errors else f"the builder ended with exit status {done.status}."
        )
