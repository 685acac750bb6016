"""Qualcomm's libraries for the NPU of a phone: which files of a user's folder go there.

Their licence does not allow to hand them on by themselves, so they come from the user: Qualcomm's
SDK (QAIRT) or Android packages, unpacked. The processor loads libQnnHtp.so, which reaches the NPU
through a stub; the NPU loads a skel of the same version. Both are made for one version of Hexagon.
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
"""Numbers that ELF files have for processors."""

PLUGIN = "libonnxruntime_providers_qnn.so"
DISPATCH_LIBRARY = "libLiteRtDispatch_Qualcomm.so"

QNN_PACKAGE = "com.qualcomm.qti:qnn-runtime"
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        PLUGIN: "com.qualcomm.qti:onnxruntime-android-qnn",
        DISPATCH_LIBRARY: "LiteRT's prebuilt libraries for Android arm64",
    }
)
"""Library -> where it is published; all others are in Qualcomm's SDK and in `QNN_PACKAGE`."""

BUILT_IN = "com.microsoft.onnxruntime:onnxruntime-android-qnn"
"""ONNX Runtime with the provider inside."""


@dataclass(frozen=True)
class NpuLibraries:
    """What goes to a phone besides the runtime's library.

    Attributes:
        files: libraries; their names are those that others look for.
        plugin: name of the runtime's library for the NPU, among the files; None if it is inside
            the runtime.
        version: of QNN, such as "2.51.0"; None if no file says it.
    """

    files: tuple[Path, ...]
    plugin: str | None
    version: str | None


def find_npu_libraries(
    folder: Path | None, runtime: str, chip: Chip, *, compiles: bool, has_runtime: bool
) -> NpuLibraries:
    """Find in a folder what a phone with a chip needs.

    Args:
        folder: as given to --qairt.
        runtime: "onnxruntime" or "litert".
        chip: of the phone.
        compiles: whether there are files to be compiled on the phone.
        has_runtime: whether the user gives the runtime's library, which may have the provider
            inside.

    Raises:
        UsageError: there is no such folder, or files are missing in it.
        SeaformerError: files are for other processors, or of different versions.
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
        raise UsageError(f"{OPTION} '{folder}' is not a folder. Give that of Qualcomm's SDK.")
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
    """Return the runtime's own library in a folder, which goes before the pinned one.

    Raises:
        SeaformerError: there are several that differ.
    """
    if folder is None or not folder.is_dir():
        return None
    places = tuple(_places(folder))
    return next(filter(None, (_find(places, name) for name in NAMES_IN_AAR[runtime])), None)


def require_version(libraries: NpuLibraries, needed: str, model: Path, folder: Path) -> None:
    """Refuse libraries that are older than those that compiled a file.

    Raises:
        SeaformerError: they are.
    """
    if libraries.version is not None and is_newer(needed, libraries.version):
        raise SeaformerError(
            f"'{model}' was compiled with QNN {needed}, and the libraries in '{folder}' are QNN "
            f"{libraries.version}, which run no newer files. Give {OPTION} of QNN {needed} or "
            "newer, or compile the model with the older version."
        )


def _plugins(runtime: str) -> tuple[str, ...]:
    return (PLUGIN,) if runtime == "onnxruntime" else (DISPATCH_LIBRARY,)


def _places(folder: Path, chip: Chip | None = None) -> Iterator[Path]:
    """Yield the folders in which libraries may be: packages may stand beside each other."""
    packages = (path for path in sorted(folder.iterdir()) if path.is_dir())
    for root in (folder, *packages):
        yield root
        yield root / "jni" / "arm64-v8a"
        yield root / "lib" / "aarch64-android"
        if chip is not None:
            yield root / "lib" / f"hexagon-v{chip.hexagon}" / "unsigned"


def _find(places: Sequence[Path], name: str) -> Path | None:
    """Return the file of this name; None if there is none."""
    paths = [place / name for place in places if (place / name).is_file()]
    for other in paths[1:]:
        if file_sha256(other) != file_sha256(paths[0]):
            raise SeaformerError(
                f"'{paths[0]}' and '{other}' differ. Give {OPTION} the folder of one version."
            )
    return paths[0] if paths else None


def _require_machine(path: Path, number: int) -> None:
    with path.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or int.from_bytes(header[18:20], "little") != number:
        what = "a Hexagon NPU" if number == HEXAGON else "Android on arm64"
        raise SeaformerError(f"'{path}' is no library for {what}. Unpack the package again.")


def _common_version(files: Sequence[Path]) -> str | None:
    """Return the version of QNN that all files that say one have; None if none says one."""
    known = {path: version for path in files if (version := _version(path)) is not None}
    for path, version in known.items():
        first = next(iter(known))
        if version != known[first]:
            raise SeaformerError(
                f"'{path}' is of QNN {version} and '{first}' of {known[first]}. Give {OPTION} the "
                "libraries of one version: the NPU refuses a mix."
            )
    return next(iter(known.values()), None)


def _version(path: Path) -> str | None:
    """Return the version of QNN that is written in a library."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        found = VERSION_IN_FILE.search(content)
        return None if found is None else found[1].decode()
