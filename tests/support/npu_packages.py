"""Folders with the file names of Qualcomm's packages for phones, but without their content.

The license of the real packages does not allow them in a repository.
"""

from collections.abc import Sequence
from pathlib import Path

ARM64, HEXAGON, X86_64 = 183, 164, 62
HOST_FILES = ("libQnnHtp.so", "libQnnSystem.so", "libQnnHtpPrepare.so")
PLUGIN = "libonnxruntime_providers_qnn.so"
DISPATCH_LIBRARY = "libLiteRtDispatch_Qualcomm.so"
QNN = "2.51.0"


def write_library(path: Path, machine: int = ARM64, version: str | None = QNN) -> Path:
    """Write an ELF header and a version in the form of the real libraries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little")
    text = "" if version is None else f"hexnn_ver_v{version}.260929181845."
    path.write_bytes(head + machine.to_bytes(2, "little") + bytes(44) + text.encode())
    return path


def write_sdk(
    folder: Path,
    hexagons: Sequence[int] = (73, 75, 79),
    version: str = QNN,
    plugins: Sequence[str] = (PLUGIN, DISPATCH_LIBRARY),
) -> Path:
    """Write the layout of Qualcomm's SDK, with the runtimes' NPU libraries next to it."""
    android = folder / "lib" / "aarch64-android"
    for name in HOST_FILES:
        write_library(android / name, version=version)
    for hexagon in hexagons:
        write_library(android / f"libQnnHtpV{hexagon}Stub.so", version=version)
        place = folder / "lib" / f"hexagon-v{hexagon}" / "unsigned"
        write_library(place / f"libQnnHtpV{hexagon}Skel.so", HEXAGON, version)
    for name in plugins:
        write_library(folder / name, version=None)
    return folder


def write_aars(folder: Path) -> Path:
    """Write the layout of Android packages that were unpacked next to each other."""
    runtime = folder / "qnn-runtime" / "jni" / "arm64-v8a"
    for name in HOST_FILES:
        write_library(runtime / name)
    write_library(runtime / "libQnnHtpV75Stub.so")
    write_library(runtime / "libQnnHtpV75Skel.so", HEXAGON)
    write_library(folder / "onnxruntime-android-qnn" / "jni" / "arm64-v8a" / PLUGIN, version=None)
    return folder
