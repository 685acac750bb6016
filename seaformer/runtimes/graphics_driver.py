"""Finding a Vulkan driver, which LiteRT's GPU accelerator computes with on a computer.

No GPU is needed. Chromium brings SwiftShader, a driver in software, and a Vulkan loader; it lies in
a folder of its own, so the process that uses it is told by its environment.
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
"""What the Vulkan loader reads, the older name last: a user's own choice of a driver."""


TITLES: Mapping[str, str] = MappingProxyType(
    {"vk_swiftshader_icd": "SwiftShader", "lvp_icd": "lavapipe"}
)
"""Drivers in software, by the names of their files."""


@dataclass(frozen=True)
class Driver:
    """A Vulkan driver.

    Attributes:
        file: its JSON, which the Vulkan loader reads.
        environment: what a process that uses it needs in its environment.
    """

    file: Path
    environment: Mapping[str, str]

    @property
    def title(self) -> str:
        """Name to show to people."""
        stem = self.file.name.partition(".")[0]
        return TITLES.get(stem, stem)

    @property
    def is_software(self) -> bool:
        """Whether it is known to compute on the processor, so that its times say nothing."""
        return self.title in TITLES.values()

    @property
    def computes_half(self) -> bool:
        """Whether it may compute in half precision; SwiftShader cannot."""
        return self.title != TITLES["vk_swiftshader_icd"]


def find_driver() -> Driver | None:
    """Return the driver that the environment names, else Chromium's, else one of the system.

    Chromium's comes before the system's because results were verified with it. An environment that
    names a file which does not exist means that there is none.
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
        SeaformerError: there is none; the message says how to get one.
    """
    driver = find_driver()
    if driver is None:
        raise SeaformerError(
            "the GPU accelerator needs a Vulkan driver, and none was found. Run: apt-get install "
            "chromium, which brings one in software, or install a GPU's driver and libvulkan1."
        )
    return driver
