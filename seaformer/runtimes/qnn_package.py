"""Qualcomm's compiler and emulator of Hexagon NPUs, from the package onnxruntime-qnn.

The package is for Linux on x86-64 (on Windows for Arm, it uses a real NPU). Its libraries are under
Qualcomm's AI Stack License, which permits their use for developing applications but not their
redistribution: they are used where pip installed them, and never copied.
"""

import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

from seaformer.artifact.chips import Chip
from seaformer.errors import SeaformerError
from seaformer.extras import require

PACKAGE = "onnxruntime-qnn"
PROVIDER = "QNNExecutionProvider"

VERSION_IN_FILE = re.compile(rb"v(\d+\.\d+\.\d+)\.\d{6,}")
"""Version of QNN in its libraries and compiled graphs, followed by the date."""

GLIBC = (2, 35)
"""The oldest C library that the package's wheel for Linux supports."""

BEST_CODE = "3"
"""Highest optimization level of the compiler: a file is compiled once and run many times."""


def require_package() -> None:
    """Check that the emulator can be loaded on the host.

    Raises:
        SeaformerError: it cannot; the message says what to do.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SeaformerError(
            "the compiler and emulator for NPUs need Linux on x86-64, but this computer has "
            f"{platform.system()} on {platform.machine()}. Use a computer with Linux on x86-64."
        )
    name, text = platform.libc_ver()
    if name == "glibc" and tuple(map(int, text.split(".")[:2])) < GLIBC:
        raise SeaformerError(
            f"the compiler and emulator for NPUs need glibc {GLIBC[0]}.{GLIBC[1]} or newer, but "
            f"this computer has {text}. Use Debian 12, Ubuntu 22.04 or newer."
        )
    require("npu")


def package_version() -> str:
    """Return the version of the package, such as "2.7.0"."""
    return version(PACKAGE)


def qnn_version() -> str:
    """Return the version of its QNN libraries, such as "2.51.0", the minimum for a phone."""
    from onnxruntime_qnn.build_and_package_info import qnn_version as found

    return str(found)


def is_newer(version_: str, than: str) -> bool:
    """Whether a version of QNN, such as "2.51.0", is newer; False if it is not a version."""

    def numbers(text: str) -> list[int]:
        return [int(number) for number in text.split(".") if re.fullmatch(r"\d{1,9}", number)]

    return numbers(version_) > numbers(than)


def library_folders() -> tuple[Path, Path]:
    """Return the folders of Qualcomm's libraries and of the C++ library that they need."""
    import onnxruntime_qnn

    folder = Path(onnxruntime_qnn.LIB_DIR_FULL_PATH)
    return folder, folder.with_name("onnxruntime_qnn.libs")


def provider_options(chip: Chip | None) -> dict[str, str]:
    """Return the options of the execution provider; `chip` is None for a compiled file."""
    import onnxruntime_qnn

    options = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        # Otherwise, the CPU quantizes inputs and dequantizes outputs.
        "offload_graph_io_quantization": "0",
    }
    if chip is not None:
        options |= {
            "soc_model": str(chip.soc_model),
            "htp_arch": str(chip.hexagon),
            "htp_graph_finalization_optimization_mode": BEST_CODE,
        }
    return options
