"""Qualcomm's libraries for the NPU of a phone, selected from a folder of the user.

Their license does not permit redistribution, so users provide them: Qualcomm's SDK (QAIRT) or
unpacked Android packages. The CPU loads libQnnHtp.so, which accesses the NPU through a stub
library; the NPU loads a skel library of the same version. Both are for one version of Hexagon.
"""

import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.artifact.chips import Chip
from seaformer.benchmark.runner.libraries import NAMES_IN_AAR
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import file_sha256
from seaformer.runtimes.qnn_package import VERSION_IN_FILE, is_newer

OPTION = "--qairt"

BACKEND_LIBRARY = "libQnnHtp.so"
COMPILER = "libQnnHtpPrepare.so"
ARM64, HEXAGON = 183, 164
"""Numbers of processors in ELF files."""

PLUGIN = "libonnxruntime_providers_qnn.so"
DISPATCH_LIBRARY = "libLiteRtDispatch_Qualcomm.so"

QNN_PACKAGE = "com.qualcomm.qti:qnn-runtime"
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        PLUGIN: "com.qualcomm.qti:onnxruntime-android-qnn",
        DISPATCH_LIBRARY: "LiteRT's prebuilt libraries for Android arm64",
    }
)
"""Library -> its source; all others are in Qualcomm's SDK and in `QNN_PACKAGE`."""

BUILT_IN = "com.microsoft.onnxruntime:onnxruntime-android-qnn"
"""ONNX Runtime with a built-in provider."""


@dataclass(frozen=True)
class NpuLibraries:
    """Libraries for a phone, in addition to the runtime's library.

    Attributes:
        files: libraries, under the names by which they load each other.
        plugin: name of the runtime's library for the NPU, one of the files; None if it is built
            into the runtime.
        version: version of QNN, such as "2.51.0"; None if unknown.
    """

    files: tuple[Path, ...]
    plugin: str | None
    version: str | None


def find_npu_libraries(
    folder: Path | None, runtime: str, chip: Chip, *, compiles: bool, has_runtime: bool
) -> NpuLibraries:
    """Find the libraries for a phone with a chip in a folder.

    Args:
        folder: value of --qairt.
        runtime: "onnxruntime" or "litert".
        chip: chip of the phone.
        compiles: whether there are files to compile on the phone.
        has_runtime: whether the user gives the runtime's library, which may have a built-in
            provider.

    Raises:
        UsageError: the folder does not exist, or lacks files.
        SeaformerError: files are for other processors, or have different versions.
    """
    stub, skel = (f"libQnnHtpV{chip.hexagon}{part}.so" for part in ("Stub", "Skel"))
    names = [BACKEND_LIBRARY, "libQnnSystem.so", stub, skel]
    if compiles:
        names.append(COMPILER)
    if folder is None:
        raise UsageError(
            f"the NPU of a phone needs Qualcomm's libraries: give {OPTION} DIR, Qualcomm's SDK "
            f"(QAIRT) or the unpacked {QNN_PACKAGE}. Needed for {chip.title}: "
            f"{', '.join([*names, *_plugins(runtime)])}."
        )
    if not folder.is_dir():
        raise UsageError(f"{OPTION} '{folder}' is not a folder. Give the folder of Qualcomm's SDK.")
    places = tuple(_places(folder, chip))
    found = {name: _find(places, name) for name in names}
    plugin = next(filter(None, (_find(places, name) for name in _plugins(runtime))), None)
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UsageError(
            f"{OPTION} '{folder}' has no {', '.join(missing)}, needed for {chip.title}. They are "
            f"in Qualcomm's SDK (lib/aarch64-android, lib/hexagon-v{chip.hexagon}/unsigned) and in "
            f"{QNN_PACKAGE} (jni/arm64-v8a), unpacked."
        )
    if plugin is None and not (runtime == "onnxruntime" and has_runtime):
        name = _plugins(runtime)[0]
        other = f" Or put the unpacked {BUILT_IN} there." if runtime == "onnxruntime" else ""
        raise UsageError(
            f"{OPTION} '{folder}' has no {name}: put it there, from {SOURCES[name]}.{other}"
        )
    files = [*(path for path in found.values() if path is not None), *filter(None, (plugin,))]
    for path in files:
        _require_machine(path, HEXAGON if path.name == skel else ARM64)
    return NpuLibraries(
        files=tuple(files),
        plugin=None if plugin is None else plugin.name,
        version=_common_version(files),
    )


def find_runtime(folder: Path | None, runtime: str) -> Path | None:
    """Return the runtime's library in a folder, which takes precedence over the pinned one.

    Raises:
        SeaformerError: there are several different ones.
    """
    if folder is None or not folder.is_dir():
        return None
    places = tuple(_places(folder))
    return next(filter(None, (_find(places, name) for name in NAMES_IN_AAR[runtime])), None)


def require_version(libraries: NpuLibraries, needed: str, model: Path, folder: Path) -> None:
    """Refuse libraries older than those that compiled a file.

    Raises:
        SeaformerError: they are older.
    """
    if libraries.version is not None and is_newer(needed, libraries.version):
        raise SeaformerError(
            f"'{model}' was compiled with QNN {needed}, but the libraries in '{folder}' are QNN "
            f"{libraries.version}, which cannot run newer files. Give {OPTION} QNN {needed} or "
            "newer, or compile the model with the older version."
        )


def _plugins(runtime: str) -> tuple[str, ...]:
    return (PLUGIN,) if runtime == "onnxruntime" else (DISPATCH_LIBRARY,)


def _places(folder: Path, chip: Chip | None = None) -> Iterator[Path]:
    """Yield the folders that may contain libraries, including the folders of several packages."""
    packages = (path for path in sorted(folder.iterdir()) if path.is_dir())
    for root in (folder, *packages):
        yield root
        yield root / "jni" / "arm64-v8a"
        yield root / "lib" / "aarch64-android"
        if chip is not None:
            yield root / "lib" / f"hexagon-v{chip.hexagon}" / "unsigned"


def _find(places: Sequence[Path], name: str) -> Path | None:
    """Return the file with this name; None if it does not exist."""
    paths = [place / name for place in places if (place / name).is_file()]
    for other in paths[1:]:
        if file_sha256(other) != file_sha256(paths[0]):
            raise SeaformerError(
                f"'{paths[0]}' and '{other}' differ. Give {OPTION} a folder with one version."
            )
    return paths[0] if paths else None


def _require_machine(path: Path, number: int) -> None:
    with path.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or int.from_bytes(header[18:20], "little") != number:
        what = "a Hexagon NPU" if number == HEXAGON else "Android on arm64"
        raise SeaformerError(f"'{path}' is not a library for {what}. Unpack the package again.")


def _common_version(files: Sequence[Path]) -> str | None:
    """Return the QNN version that the files have in common; None if no file states one."""
    known = {path: version for path in files if (version := _version(path)) is not None}
    for path, version in known.items():
        first = next(iter(known))
        if version != known[first]:
            raise SeaformerError(
                f"'{path}' is QNN {version}, but '{first}' is {known[first]}. Give {OPTION} "
                "libraries of one version: the NPU refuses mixed versions."
            )
    return next(iter(known.values()), None)


def _version(path: Path) -> str | None:
    """Return the version of QNN stored in a library."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        found = VERSION_IN_FILE.search(content)
        return None if found is None else found[1].decode()
