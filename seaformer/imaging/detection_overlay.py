"""Detections drawn on a photo: boxes with the name of the class and the score."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seaformer.detection.detections import Detections
from seaformer.imaging.box_outlines import draw_outline
from seaformer.imaging.overlay import (
    Color,
    class_color,
    drawable,
    font_of_size,
    letter_size,
    with_note,
)

RANDOM_WEIGHTS_NOTE = "random weights: the boxes are meaningless"

_LETTERS_PER_OUTLINE = 6
_DARK: Color = (16, 18, 22)
_LIGHT: Color = (255, 255, 255)
_MIDDLE = 140
"""Luminance of a color, 0..255, above which dark text is readable on it."""


def draw_detections(
    image: npt.NDArray[np.uint8],
    detections: Detections,
    labels: Sequence[str],
    palette: Sequence[Sequence[int]] | None,
    note: str | None = None,
) -> Image.Image:
    """Draw boxes with labels, those with high scores over those with low ones.

    Args:
        image: uint8 [H, W, 3], RGB.
        detections: their boxes are in pixels of the image.
        labels: name of each class.
        palette: as in `seaformer.imaging.overlay.class_shares`.
        note: a warning to show above the photo.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    letter = letter_size(canvas)
    font = font_of_size(letter)
    padding, height = letter // 4, sum(font.getmetrics())
    for box, score, index in reversed(list(detections)):
        corners = [round(float(value)) for value in box]
        color = class_color(index, palette)
        draw_outline(draw, corners, color, max(1, letter // _LETTERS_PER_OUTLINE))
        left, top, *_ = corners
        text = f"{drawable(labels[index], f'class {index}')} {100 * score:.0f} %"
        # Above the box, or inside it if there is no space above; never beyond the photo's edges.
        width = round(font.getlength(text)) + 2 * padding + 1
        x = max(0, min(left, canvas.width - width))
        y = top - height if top >= height else min(top, canvas.height - height)
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
        draw.text((x + padding, y + height // 2), text, _text_color(color), font, anchor="lm")
    return canvas if note is None else with_note(canvas, note, letter)


def _text_color(background: Color) -> Color:
    red, green, blue = background
    return _DARK if 0.299 * red + 0.587 * green + 0.114 * blue > _MIDDLE else _LIGHT
