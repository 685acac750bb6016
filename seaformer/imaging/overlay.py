"""Overlay: a photo with its segmentation mask in color, and a legend."""

import colorsys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from seaformer.errors import SeaformerError, UsageError

RANDOM_WEIGHTS_NOTE = "random weights: the mask is meaningless"

Color = tuple[int, int, int]

_PANEL: Color = (24, 26, 31)
_TEXT: Color = (236, 238, 242)
_FAINT: Color = (150, 156, 168)
_OUTLINE: Color = (104, 110, 122)
_NOTE: Color = (255, 196, 61)
_NOTE_TEXT: Color = (38, 28, 0)

# The legend of a photo of 500 x 500 pixels has a font size of 14; smaller fonts are unreadable.
_SIDE_PER_LETTER = 36
_SMALLEST_LETTER = 13

# Rows blended at a time, so that a large photo is never copied as a whole in 16 bits.
_BAND = 256


@dataclass(frozen=True)
class ClassShare:
    """The share of a mask that one class takes, above 0 and up to 1.

    `name` is its label, or "class 7" if there is no label; `color` is red, green and blue.
    """

    index: int
    name: str
    color: Color
    share: float


def class_shares(
    mask: npt.NDArray[np.integer],
    labels: Sequence[str],
    palette: Sequence[Sequence[int]] | None = None,
) -> list[ClassShare]:
    """Return the shares of all classes in a mask of class indices from 0, largest first.

    `palette` has the color of each class. Classes beyond it, or all if it is None, get generated
    colors, which differ between successive classes.
    """
    counts = np.bincount(mask.reshape(-1))
    present = np.flatnonzero(counts)
    order = present[np.argsort(-counts[present], kind="stable")]
    return [
        ClassShare(
            index=int(index),
            name=labels[index] if index < len(labels) else f"class {index}",
            color=class_color(int(index), palette),
            share=float(counts[index] / mask.size),
        )
        for index in order
    ]


def class_color(index: int, palette: Sequence[Sequence[int]] | None) -> Color:
    """Return the color of a class from the palette, or a generated one for an index beyond it."""
    if palette is not None and index < len(palette):
        red, green, blue = palette[index]
    else:
        # Steps of the golden angle keep successive classes far apart on the color circle.
        hue = index * 0.618034 % 1
        red, green, blue = (
            round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.7, 0.95 - 0.25 * (index % 2))
        )
    return red, green, blue


def blend(
    image: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.integer],
    palette: Sequence[Sequence[int]] | None,
    opacity: float = 0.5,
) -> npt.NDArray[np.uint8]:
    """Blend a photo with the colors of its classes.

    Args:
        image: uint8 [H, W, 3], RGB, like the result.
        mask: class indices [H, W].
        palette: as in `class_shares`.
        opacity: 0 shows only the photo, 1 only the colors.

    Raises:
        UsageError: the sizes differ, or `opacity` is outside 0..1.
    """
    if mask.shape != image.shape[:2]:
        raise UsageError(f"the mask is {list(mask.shape)}. Allowed: {list(image.shape[:2])}.")
    if not 0 <= opacity <= 1:
        raise UsageError(f"opacity is {opacity}. Allowed: 0..1.")
    weight = round(256 * opacity)
    colors = np.array(
        [class_color(index, palette) for index in range(int(mask.max()) + 1)], dtype=np.uint16
    )
    # Half a unit is added so that the shift rounds to nearest.
    weighted = colors * np.uint16(weight) + np.uint16(128)
    blended = np.empty_like(image)
    for top in range(0, image.shape[0], _BAND):
        rows = slice(top, top + _BAND)
        photo = image[rows].astype(np.uint16) * np.uint16(256 - weight)
        blended[rows] = (photo + weighted[mask[rows]]) >> 8
    return blended


def draw_overlay(
    image: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.integer],
    labels: Sequence[str],
    palette: Sequence[Sequence[int]] | None,
    opacity: float = 0.5,
    note: str | None = None,
    max_classes: int = 12,
) -> Image.Image:
    """Draw the overlay with its legend: the classes present with their share, largest first.

    The legend is on the right if the photo is high enough for it, and below otherwise. The font
    size grows with the photo, which keeps its own size; the canvas is larger where text needs it.

    Args:
        image: uint8 [H, W, 3], RGB, like the result.
        mask: class indices [H, W].
        labels: name of each class.
        palette: as in `class_shares`.
        opacity: as in `blend`.
        note: a warning to show above the photo.
        max_classes: number of classes to list; the others are summed up in one line.

    Raises:
        UsageError: as `blend`.
    """
    overlay = Image.fromarray(blend(image, mask, palette, opacity))
    letter = letter_size(overlay)
    legend = _Legend(class_shares(mask, labels, palette), letter, max_classes)

    if legend.height(columns=1) <= overlay.height:
        columns = 1
        legend_at = (overlay.width, 0)
        width, height = overlay.width + legend.width(columns), overlay.height
    else:
        columns = legend.columns_within(overlay.width)
        legend_at = (0, overlay.height)
        width = max(overlay.width, legend.width(columns))
        height = overlay.height + legend.height(columns)
    canvas = Image.new("RGB", (width, height), _PANEL)
    canvas.paste(overlay, (0, 0))
    legend.draw(ImageDraw.Draw(canvas), *legend_at, columns)
    return canvas if note is None else with_note(canvas, note, letter)


def letter_size(image: Image.Image) -> int:
    """Return the font size for text on or beside an image, in pixels."""
    return max(_SMALLEST_LETTER, round((image.width * image.height) ** 0.5 / _SIDE_PER_LETTER))


def with_note(image: Image.Image, note: str, letter: int) -> Image.Image:
    """Return an image below a line with a warning, in a font of this size."""
    warning, font, padding = drawable(note, "warning"), font_of_size(letter), round(0.6 * letter)
    width = max(image.width, round(font.getlength(warning)) + 2 * padding + 1)
    top = sum(font.getmetrics()) + 2 * (padding // 2)
    canvas = Image.new("RGB", (width, image.height + top), _PANEL)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, width - 1, top - 1), fill=_NOTE)
    draw.text((padding, top // 2), warning, _NOTE_TEXT, font, anchor="lm")
    canvas.paste(image, (0, top))
    return canvas


class _Legend:
    """Rows of swatch, name and share, in one or several columns, filled column by column."""

    def __init__(self, shares: Sequence[ClassShare], letter: int, max_classes: int) -> None:
        self._font = font_of_size(letter)
        self._margin = letter
        self._swatch = round(1.1 * letter)
        self._gap = round(0.6 * letter)
        self._row = round(1.65 * letter)
        self._rows: list[tuple[str, str, Color | None]] = [
            (drawable(entry.name, f"class {entry.index}"), _percent(entry.share), entry.color)
            for entry in shares[:max_classes]
        ]
        if rest := shares[max_classes:]:
            share = sum(entry.share for entry in rest)
            self._rows.append((f"+ {len(rest)} more", _percent(share), None))
        self._name_width = max(self._text_width(name) for name, _, _ in self._rows)
        self._share_width = max(self._text_width(share) for _, share, _ in self._rows)

    @property
    def _column(self) -> int:
        return self._swatch + 2 * self._gap + self._name_width + self._share_width

    def width(self, columns: int) -> int:
        return columns * self._column + (columns - 1) * 2 * self._margin + 2 * self._margin

    def height(self, columns: int) -> int:
        return -(-len(self._rows) // columns) * self._row + 2 * self._margin

    def columns_within(self, width: int) -> int:
        """Return how many columns fit side by side: at least one, and no more than needed."""
        fitting = [n for n in range(1, len(self._rows) + 1) if self.width(n) <= width]
        height = self.height(max(fitting, default=1))
        return next(n for n in range(1, len(self._rows) + 1) if self.height(n) == height)

    def draw(self, draw: ImageDraw.ImageDraw, left: int, top: int, columns: int) -> None:
        rows_per_column = -(-len(self._rows) // columns)
        for place, (name, share, color) in enumerate(self._rows):
            column, row = divmod(place, rows_per_column)
            x = left + self._margin + column * (self._column + 2 * self._margin)
            middle = top + self._margin + row * self._row + self._row // 2
            text = _TEXT if color else _FAINT
            if color:
                box = (x, middle - self._swatch // 2)
                end = (box[0] + self._swatch - 1, box[1] + self._swatch - 1)
                draw.rectangle((*box, *end), fill=color, outline=_OUTLINE)
            draw.text((x + self._swatch + self._gap, middle), name, text, self._font, anchor="lm")
            draw.text((x + self._column, middle), share, _FAINT, self._font, anchor="rm")

    def _text_width(self, text: str) -> int:
        return round(self._font.getlength(text)) + 1


def font_of_size(letter: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's font in this size, in pixels.

    Raises:
        SeaformerError: Pillow lacks FreeType.
    """
    font = ImageFont.load_default(letter)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SeaformerError(
            "Pillow was installed without FreeType. Run: pip install --force-reinstall pillow"
        )
    return font


def _percent(share: float) -> str:
    return "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def drawable(text: str, otherwise: str) -> str:
    """Convert `text` to ASCII, the characters of Pillow's font; `otherwise` if nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain.strip() or otherwise
