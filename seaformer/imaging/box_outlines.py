"""Outlines of boxes on an image, in the colors of their classes."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seaformer.imaging.overlay import Color, class_color

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
    for box, index in zip(boxes, classes, strict=True):
        draw_outline(draw, box, class_color(index, palette), width)
    return np.asarray(canvas)


def draw_outline(draw: ImageDraw.ImageDraw, box: Sequence[float], color: Color, width: int) -> None:
    """Draw the outline of one box; `width` is the width of the line in pixels."""
    left, top, right, bottom = box
    # The right and bottom edges lie just past the last pixels of the box.
    draw.rectangle(
        (left, top, max(left, right - 1), max(top, bottom - 1)), outline=color, width=width
    )
