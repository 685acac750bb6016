"""Annotated objects of an image: boxes with classes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError


class Box(NamedTuple):
    """An annotated object.

    Attributes:
        left, top, right, bottom: its box in pixels, inside the image.
        class_index: its class.
        area: number of pixels of the object itself, at most that of its box. COCO's scores for
            small, medium and large objects use this area.
        is_crowd: whether the box contains a group of objects that are not annotated one by one.
            Such a box never counts as missed, and detections in it are ignored.
    """

    left: float
    top: float
    right: float
    bottom: float
    class_index: int
    area: float
    is_crowd: bool = False


@dataclass(frozen=True)
class Boxes:
    """All annotated objects of an image; `size` is its height and width in pixels."""

    size: tuple[int, int]
    boxes: tuple[Box, ...]

    def corners(self) -> npt.NDArray[np.float32]:
        """Return left, top, right, bottom of every box, float32 [N, 4]."""
        return np.array([box[:4] for box in self.boxes], np.float32).reshape(-1, 4)

    def classes(self) -> npt.NDArray[np.int64]:
        """Return the class of every box, int64 [N]."""
        return np.array([box.class_index for box in self.boxes], np.int64)

    def single(self) -> "Boxes":
        """Return the boxes of single objects, without groups."""
        return Boxes(self.size, tuple(box for box in self.boxes if not box.is_crowd))

    def check_size(self, image: npt.NDArray[np.uint8], name: str) -> None:
        """Check that an image, uint8 [H, W, 3], has the size that the annotations state.

        Raises:
            SeaformerError: the size differs, so the boxes would be in the wrong places.
        """
        height, width = self.size
        if image.shape[:2] != self.size:
            raise SeaformerError(
                f"the image '{name}' has {image.shape[1]} x {image.shape[0]} pixels, but its "
                f"annotations are for {width} x {height}. Correct the annotations, or give the "
                "image that was annotated."
            )
