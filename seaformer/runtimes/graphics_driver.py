"""Finding a Vulkan driver, which LiteRT's GPU accelerator needs on a computer.

No GPU is needed: Chromium includes SwiftShader, a software driver, and a Vulkan loader. Both are in
Chromium's folder, which the environment of the process that uses them has to name.
"""

import os
from collections.abc import Mapping
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.errors import SeaformerError

CHROMIUM_FOLDERS = tuple(
    map(Path, ("/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"))
)
SYSTEM_FOLDERS = tuple(map(Path, ("/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d")))

DRIVER_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""Variables by which a user selects a driver for the Vulkan loader, the older name last."""


TITLES: Mapping[str, str] = MappingProxyType(
    {"vk_swiftshader_icd": "SwiftShader", "lvp_icd": "lavapipe"}
)
"""Software drivers, by the stems of their files."""


@dataclass(frozen=True)
class Driver:
    """A Vulkan driver.

    Attributes:
        file: its JSON file, which the Vulkan loader reads.
        environment: environment variables for a process that uses it.
    """

    file: Path
    environment: Mapping[str, str]

    @property
    def title(self) -> str:
        """Display name."""
        stem = self.file.name.partition(".")[0]
        return TITLES.get(stem, stem)

    @property
    def is_software(self) -> bool:
        """Whether it is known to compute on the CPU, so that its latency is meaningless."""
        return self.title in TITLES.values()

    @property
    def computes_half(self) -> bool:
        """Whether it may support half precision; SwiftShader does not."""
        return self.title != TITLES["vk_swiftshader_icd"]


def find_driver() -> Driver | None:
    """Return the driver that the environment names, or Chromium's, or one of the system.

    Chromium's precedes the system's because results were verified with it. If the environment names
    a missing file, there is no driver.
    """
    for variable in DRIVER_VARIABLES:
        if named := os.environ.get(variable):
            files = [Path(file) for file in named.split(os.pathsep)]
            return Driver(files[0], {}) if all(map(Path.is_file, files)) else None
    for folder in CHROMIUM_FOLDERS:
        file = folder / "vk_swiftshader_icd.json"
        if file.is_file() and (folder / "libvulkan.so.1").is_file():
            path = os.pathsep.join(filter(None, (str(folder), os.environ.get("LD_LIBRARY_PATH"))))
            return Driver(file, {DRIVER_VARIABLES[-1]: str(file), "LD_LIBRARY_PATH": path})
    for folder in SYSTEM_FOLDERS:
        files = sorted(folder.glob("*.json"))
        if files and find_library("vulkan"):
            return Driver(files[0], {})
    return None


def require_driver() -> Driver:
    """Return the driver that `find_driver` finds.

    Raises:
        SeaformerError: there is no driver; the message says how to install one.
    """
    driver = find_driver()
    if driver is None:
        raise SeaformerError(
            "the GPU accelerator needs a Vulkan driver, but none was found. Run: apt-get install "
            "chromium, which includes a software driver, or install a GPU driver and libvulkan1."
        )
    return driver
