"""Runtime libraries for devices: version, source, checksum.

For this computer, the installed packages are used. For phones, the library is extracted from a
package for phones (`seaformer.packages`), from which nothing is run on this computer.
"""

import importlib.metadata
import importlib.util
import platform
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.runner.plan import NAME
from seaformer.cache import cache_folder
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import file_sha256
from seaformer.packages import ONNX_RUNTIME_AAR, ONNX_RUNTIME_FOR_ANDROID, Package, Wheel
from seaformer.temporary_folders import temporary_folder

ANY_VERSION = "any"
"""The version of a library given by the user, which the runner determines if possible."""

OPTION = "--runtime-library"

PHONE = "android-arm64"

MACHINES = {
    PHONE: ("arm64", 183),
    "linux-arm64": ("arm64", 183),
    "linux-x86_64": ("x86-64", 62),
}
"""target -> common name of its processors, and their number in ELF files."""


@dataclass(frozen=True)
class RuntimeLibrary:
    """A library on this computer."""

    version: str  # as in a plan; "any" if the user gave the library
    path: Path  # of the file, with a plain name
    sha256: str


@dataclass(frozen=True)
class Published:
    """A library inside a package."""

    version: str  # as in a plan
    package: Package
    file: str  # its path in the package
    sha256: str  # of the library


IN_AAR = "jni/arm64-v8a"

INSTALLED = {
    "litert": ("ai-edge-litert", "ai_edge_litert", "libLiteRt.so"),
    "onnxruntime": ("onnxruntime", "onnxruntime", "capi/libonnxruntime.so.*"),
}
"""Backend -> the package with its library for this computer, by its name for pip; the folder of the
package, and a pattern for the file name of the library in that folder."""

_LITERT_FOR_ANDROID = "litert_lm/liblitert-lm.so"

PUBLISHED: Mapping[str, Published] = {
    "litert": Published(
        version="litert-lm-0.18.1",
        package=Package(
            Wheel("litert-lm-api", "0.18.1", ("android_23_arm64_v8a",), "3.13"),
            "95826534a48f79a8fbcc6b47838d1a85cbfdebe7f1c7939d98780167a74fb1de",
            14.2,
            "Apache-2.0",
            (_LITERT_FOR_ANDROID,),
            "LiteRT for phones",
        ),
        file=_LITERT_FOR_ANDROID,
        sha256="704b891fe25e9a526af717682e33b8f6310355be9e566821e2530499bffb1cc9",
    ),
    "onnxruntime": Published(
        version="1.29.0",
        package=ONNX_RUNTIME_FOR_ANDROID,
        file=f"{ONNX_RUNTIME_AAR}/{IN_AAR}/libonnxruntime.so",
        sha256="3a602b463d434d20fbf69cd1b8bdfd2f86a2cb67d08de97aec8f62476fa4ab87",
    ),
}
"""Backend -> its library for phones."""

OFFICIAL_AAR = {
    "litert": "com.google.ai.edge.litert:litert",
    "onnxruntime": "com.microsoft.onnxruntime:onnxruntime-android",
}
"""Packages of Google and Microsoft for Android, on Maven."""

NAMES_IN_AAR = {
    "litert": ("libLiteRt.so", "liblitert-lm.so"),
    "onnxruntime": ("libonnxruntime.so",),
}


def library_for(backend: str, target: str, override: Path | None) -> RuntimeLibrary:
    """Return the library that runs the models of a backend on a target of the runner.

    Raises:
        UsageError: `override`, a library or an .aar with one, given by the user, is not for the
            target.
        SeaformerError: the library is missing and cannot be fetched.
    """
    if override is not None:
        return _given(backend, target, override)
    if target == f"linux-{platform.machine().replace('aarch64', 'arm64')}":
        return _installed(backend)
    if target != PHONE:
        raise SeaformerError(
            f"no {backend} library is known for {target}. Give one with {OPTION} PATH."
        )
    row = PUBLISHED[backend]
    try:
        return RuntimeLibrary(row.version, _file_of(row), row.sha256)
    except SeaformerError as error:
        raise SeaformerError(
            f"{error} Or give a library with {OPTION} PATH, for example from "
            f"{OFFICIAL_AAR[backend]} on Maven."
        ) from error


def _installed(backend: str) -> RuntimeLibrary:
    package, module, pattern = INSTALLED[backend]
    spec = importlib.util.find_spec(module)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if len(found) != 1:
        raise SeaformerError(
            f"the installed package {package} has no {pattern}. Reinstall it: pip install "
            f"--force-reinstall {package}."
        )
    return RuntimeLibrary(importlib.metadata.version(package), found[0], file_sha256(found[0]))


def _file_of(row: Published) -> Path:
    for _ in range(2):
        path = row.package.files() / row.file
        if path.is_file() and file_sha256(path) == row.sha256:
            return path
        row.package.discard()  # the cached copy is damaged
    raise SeaformerError(
        f"{path.name} of {row.package.source} does not have the SHA-256 {row.sha256}, even after "
        "fetching it again."
    )


def _given(backend: str, target: str, override: Path) -> RuntimeLibrary:
    if not override.is_file():
        raise UsageError(f"{OPTION}: there is no file '{override}'. Check the name.")
    try:
        path = _from_aar(backend, target, override) if override.suffix == ".aar" else override
        _require_machine(path, target, override)
        digest = file_sha256(path)
        if not NAME.fullmatch(path.name):
            # Only plain names are used on a device.
            path = _cached(path, digest, NAMES_IN_AAR[backend][0])
    except OSError as error:
        raise SeaformerError(f"cannot read '{override}': {error}.") from error
    return RuntimeLibrary(ANY_VERSION, path, digest)


def _from_aar(backend: str, target: str, archive: Path) -> Path:
    if target != PHONE:
        raise UsageError(
            f"'{archive}' is for Android, but the device is {target}. Give an .so file."
        )
    wanted = [f"{IN_AAR}/{name}" for name in NAMES_IN_AAR[backend]]
    try:
        with (
            zipfile.ZipFile(archive) as opened,
            temporary_folder("aar") as folder,
        ):
            inside = opened.namelist()
            member = next((name for name in wanted if name in inside), None)
            if member is None:
                libraries = [name for name in inside if name.startswith(IN_AAR)] or ["none"]
                raise UsageError(
                    f"'{archive}' has none of {', '.join(wanted)}. Its libraries for arm64: "
                    f"{', '.join(libraries)}. Use the .aar of {OFFICIAL_AAR[backend]}."
                )
            part = Path(opened.extract(member, folder))
            return _cached(part, file_sha256(part), part.name)
    except zipfile.BadZipFile as error:
        raise UsageError(
            f"'{archive}' is not an .aar, or is damaged: {error}. Download it again."
        ) from error


def _cached(path: Path, digest: str, name: str) -> Path:
    """Copy a library into the cache under a plain name."""
    cached = cache_folder("runtimes") / digest / name
    if not cached.is_file() or file_sha256(cached) != digest:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder("copy", cached.parent) as folder:
            shutil.copyfile(path, folder / name).replace(cached)
    return cached


def _require_machine(path: Path, target: str, given: Path) -> None:
    """Check the header of an ELF file, because the device's own message would be less clear."""
    with path.open("rb") as file:
        header = file.read(20)
    if len(header) < 20 or header[:6] != b"\x7fELF\x02\x01":
        raise UsageError(f"'{given}' is not a library. Give a 64-bit ELF file.")
    machine = int.from_bytes(header[18:20], "little")
    title, number = MACHINES[target]
    if machine != number:
        titles = {number: title for title, number in MACHINES.values()}
        raise UsageError(
            f"'{given}' is for {titles.get(machine, f'processors of ELF number {machine}')}, but "
            f"the device is {title}. Give the library for {title}."
        )
