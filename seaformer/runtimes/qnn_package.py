"""Qualcomm's compiler and emulator of Hexagon NPUs, which the package onnxruntime-qnn brings.

The package is for Linux on x86-64 (on Windows for Arm there is an NPU instead). Its libraries are
under Qualcomm's AI Stack License, which allows to use them for developing applications and not to
hand them on by themselves: they are found where pip installed them, and never copied.
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
"""Version of QNN in its libraries, and in what they compile, with the date behind it."""

GLIBC = (2, 35)
"""The oldest C library that the package's wheel for Linux runs with."""

BEST_CODE = "3"
"""Effort of the compiler, its highest: a file is compiled once and run many times."""


def require_package() -> None:
    """Check that the emulator can be loaded here.

    Raises:
        SeaformerError: it cannot; the message says what to do.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SeaformerError(
            f"the NPU's compiler and emulator are for Linux on x86-64, and this is "
            f"{platform.system()} on {platform.machine()}. Use a computer with Linux on x86-64."
        )
    name, text = platform.libc_ver()
    if name == "glibc" and tuple(map(int, text.split(".")[:2])) < GLIBC:
        raise SeaformerError(
            f"the NPU's compiler and emulator need glibc {GLIBC[0]}.{GLIBC[1]} or newer, and this "
            f"computer has {text}. Use Debian 12, Ubuntu 22.04 or newer."
        )
    require("npu")


def package_version() -> str:
    """Version of the package, such as "2.7.0"."""
    return version(PACKAGE)


def qnn_version() -> str:
    """Version of Qualcomm's libraries in it, such as "2.51.0"; a phone needs no older ones."""
    from onnxruntime_qnn.build_and_package_info import qnn_version as found

    return str(found)


def is_newer(version_: str, than: str) -> bool:
    """Whether a version of QNN, such as "2.51.0", is newer than another; what is none is not."""

    def parts(text: str) -> list[int]:
        return [int(part) for part in text.split(".") if part.isdecimal()]

    return parts(version_) > parts(than)


def library_folders() -> tuple[Path, Path]:
    """The folders of Qualcomm's libraries, and of the C++ library that they are linked with."""
    import onnxruntime_qnn

    folder = Path(onnxruntime_qnn.LIB_DIR_FULL_PATH)
    return folder, folder.with_name("onnxruntime_qnn.libs")


def provider_options(chip: Chip | None) -> dict[str, str]:
    """Options of the execution provider; without a chip for a file that is compiled already."""
    import onnxruntime_qnn

    options = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        # Else what turns floats into integers at both ends is left to the CPU.
        "offload_graph_io_quantization": "0",
    }
    if chip is not None:
        options |= {
            "soc_model": str(chip.soc_model),
            "htp_arch": str(chip.hexagon),
            "htp_graph_finalization_optimization_mode": BEST_CODE,
        }
    return options
