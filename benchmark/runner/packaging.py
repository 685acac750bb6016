"""Has the runners compiled when the package is built: who installs a wheel needs no compiler.

Setuptools loads this file by the name in `pyproject.toml`, before anything of the package can be
imported.
"""

import subprocess
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

FOLDER = Path(__file__).resolve().parent


class BuildWithRunners(build_py):
    """Copies the Python files as ever, and compiles the runners beside them."""

    def run(self) -> None:
        """Build into the folder of the wheel, or into the tree for an editable install."""
        super().run()
        package = "seaformer.benchmark.runner"
        folder = FOLDER if self.editable_mode else Path(self.build_lib, *package.split("."))
        # -P: the folder of build.py has a packaging.py, too.
        command = [sys.executable, "-P", str(FOLDER / "build.py"), "--to", str(folder / "bin")]
        subprocess.run(command, check=True)
