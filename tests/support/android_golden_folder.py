"""The folder of `android_golden`: arrays and images as raw little-endian files."""

from pathlib import Path

import numpy as np
from android_metadata import Json


class Folder:
    """The output folder; files are named after their content."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def array(self, name: str, values: np.ndarray) -> str:
        little = values.dtype.newbyteorder("<")
        np.ascontiguousarray(values, dtype=little).tofile(self.path / name)
        return name

    def image(self, name: str, pixels: np.ndarray) -> Json:
        height, width = pixels.shape[:2]
        return {"file": self.array(name, pixels), "width": width, "height": height}
