"""Outlines of boxes on an image, in the colors of their classes."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seaformer.imaging.overlay import class_color

_SIDE_PER_WIDTH = 120
"""Shorter side of an image, in pixels, for each pixel of the width of an outline."""


def draw_outlines(
    image: npt.NDArray[np.uint8],
    boxes: Iterable[Sequence[float]],
    classes: Iterable[int],
    palette: Sequence[Sequence[int]] | None,
) -> npt.NDArray[np.uint8]:
    """Draw boxes on a copy of an image.

    Args:
        image: uint8 [H, W, 3], RGB, like the result.
        boxes: left, top, right and bottom of each box, in pixels.
        classes: class index of each box.
        palette: as in `seaformer.imaging.overlay.class_shares`.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    width = max(1, round(min(canvas.size) / _SIDE_PER_WIDTH))
    for (left, top, right, bottom), index in zip(boxes, classes, strict=True):
        # A box that ends between two pixels includes the second.
        corners = (left, top, max(left, right - 1), max(top, bottom - 1))
        draw.rectangle(corners, outline=class_color(index, palette), width=width)
    return np.asarray(canvas)
