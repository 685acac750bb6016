"""Compiles what is in C when the package is built: installing a wheel needs no compiler.

Setuptools loads this file by the name in `pyproject.toml`, before anything of the package can be
imported.
"""

import subprocess
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

FOLDER = Path(__file__).resolve().parent


class BuildWithRunners(build_py):
    """Copies the Python files as ever, and compiles runners and Android's mask beside them."""

    def run(self) -> None:
        """Build into the folder of the wheel, or into the tree for an editable install."""
        super().run()
        self._compile("seaformer.benchmark.runner", FOLDER / "build.py")
        bundling = FOLDER.parents[1] / "seaformer" / "bundling"
        self._compile("seaformer.bundling", bundling / "jni_library.py")

    def _compile(self, package: str, script: Path) -> None:
        """Run a script that compiles into the folder `bin` of its package."""
        folder = Path(self.build_lib, *package.split("."))
        to = (script.parent if self.editable_mode else folder) / "bin"
        # -P: the folder of build.py has a packaging.py, too.
        subprocess.run([sys.executable, "-P", str(script), "--to", str(to)], check=True)
