"""The command behind `seaformer-bundle --apk`: `python -m smoke_build APP [APK]`."""

from pathlib import Path

import click

from seaformer.cli.command import Command
from seaformer.temporary_folders import temporary_folder
from smoke_build.build import SmokeBuild
from smoke_build.tools import require_tools


@click.command(cls=Command)
@click.argument("app", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("apk", type=click.Path(path_type=Path), required=False)
def main(app: Path, apk: Path | None) -> None:
    """Build the app in the folder APP without Gradle and write the signed APK.

    Without APK, only check that all tools are installed.
    """
    require_tools()
    if apk is None:
        return
    with temporary_folder("apk") as work:
        SmokeBuild(app.resolve(), work).sign(apk.absolute())


if __name__ == "__main__":
    main()
