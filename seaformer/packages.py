"""Getting a package's archive from the registry the user's own pip or npm is set to."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError


@dataclass(frozen=True)
class Wheel:
    """A wheel, for whatever computer it is.

    Attributes:
        name: of the package.
        version: of it.
        platforms: tags of the platforms it may be made for.
        python: version of Python it may be made for.
    """

    name: str
    version: str
    platforms: tuple[str, ...]
    python: str

    def __str__(self) -> str:
        """Return what people call it."""
        return f"the wheel {self.name} {self.version}"

    def fetch(self, folder: Path) -> Path:
        """Download it into an empty folder; see `fetch`."""
        if importlib.util.find_spec("pip") is None:
            raise SeaformerError(f"{self} cannot be fetched: pip is not installed here.")
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", f"--python-version={self.python}"]
        command += [f"--platform={platform}" for platform in self.platforms]
        return fetch([*command, f"--dest={folder}", f"{self.name}=={self.version}"], folder, self)


@dataclass(frozen=True)
class NodePackage:
    """A package of npm.

    Attributes:
        name: of the package.
        version: of it.
    """

    name: str
    version: str

    def __str__(self) -> str:
        """Return what people call it."""
        return f"the npm package {self.name} {self.version}"

    def fetch(self, folder: Path) -> Path:
        """Download it into an empty folder; see `fetch`."""
        npm = shutil.which("npm")
        if npm is None:
            raise SeaformerError(f"{self} cannot be fetched: npm is not installed here.")
        command = [npm, "pack", "--loglevel=error", "--pack-destination", str(folder)]
        command += [f"{self.name}@{self.version}"]
        return fetch(command, folder, self)


def fetch(command: Sequence[str], folder: Path, package: object) -> Path:
    """Run a command that puts one file into a folder, and return the file.

    What the command says goes to stderr as it comes: it knows about progress.

    Raises:
        SeaformerError: it fails. The message does not say what else to do.
    """
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    files = list(folder.iterdir())
    if done.returncode != 0 or len(files) != 1:
        raise SeaformerError(f"{package} cannot be fetched, for the reason above.")
    return files[0]
