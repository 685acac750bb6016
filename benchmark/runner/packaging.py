"""Compiles the C sources when the package is built, so installing a wheel needs no compiler.

Setuptools loads this file by the name in `pyproject.toml`, before the package can be imported.
"""

import subprocess
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

FOLDER = Path(__file__).resolve().parent


class BuildWithRunners(build_py):
    """Copies the Python files as usual, and compiles the runners and Android's mask library."""

    def run(self) -> None:
        """Build into the folder of the wheel, or into the source tree for an editable install."""
        super().run()
        self._compile("seaformer.benchmark.runner", FOLDER / "build.py")
        bundling = FOLDER.parents[1] / "seaformer" / "bundling"
        self._compile("seaformer.bundling", bundling / "jni_library.py")

    def _compile(self, package: str, script: Path) -> None:
        """Run a build script, which compiles into the folder `bin` of its package."""
        folder = Path(self.build_lib, *package.split("."))
        to = (script.parent if self.editable_mode else folder) / "bin"
        # -P: the folder of build.py also has a packaging.py.
        subprocess.run([sys.executable, "-P", str(script), "--to", str(to)], check=True)
