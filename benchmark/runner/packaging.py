"""Compiles the C sources when the package is built, so installing a wheel needs no compiler.

Setuptools loads this file by the name in `pyproject.toml`, before the package can be imported.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]


class BuildWithRunners(build_py):
    """Copies the Python files as usual, and compiles the runners and Android's mask library."""

    def run(self) -> None:
        """Build into the folder of the wheel, or into the source tree for an editable install."""
        super().run()
        self._compile("seaformer.benchmark.runner", FOLDER / "build.py")
        bundling = ROOT / "seaformer" / "bundling"
        self._compile("seaformer.bundling", bundling / "jni_library.py")
        if shutil.which("npm") is None:
            return
        self._compile("seaformer.web", ROOT / "seaformer" / "web" / "build.py")

    def _compile(self, package: str, script: Path) -> None:
        """Run a build script, which compiles into the folder `bin` of its package."""
        folder = Path(self.build_lib, *package.split("."))
        to = (script.parent if self.editable_mode else folder) / "bin"
        # They import from the source tree. -P: the folder of build.py has a packaging.py too.
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-P", str(script), "--to", str(to)]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True)
