"""The colored mask: exact colors, exact shares, and a legend that is never clipped."""

import numpy as np
import pytest
from PIL import Image

from seaformer.errors import UsageError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.overlay import (
    RANDOM_WEIGHTS_NOTE,
    ClassShare,
    blend,
    class_color,
    class_shares,
    draw_overlay,
)
from seaformer.tasks import get_task

LABELS = ["sky", "tree", "road"]
PALETTE = [[10, 20, 30], [40, 250, 60], [70, 80, 255]]
PANEL = (24, 26, 31)
AMBER = (255, 196, 61)

PHOTOGRAPH = read_image(sample_photograph())


def stripes(height: int, width: int, classes: int) -> np.ndarray:
    """Return a mask with vertical stripes of `classes` classes, equally wide if possible."""
    return np.broadcast_to(np.arange(width) * classes // width, (height, width)).astype(np.uint8)


def test_shares_are_sorted_from_the_largest() -> None:
    mask = np.array([[1, 1, 1, 1, 1], [0, 0, 7, 7, 7]], dtype=np.uint8)
    first, second, third = class_shares(mask, LABELS, PALETTE)
    assert first == ClassShare(1, "tree", (40, 250, 60), 0.5)
    assert (second.index, second.name, second.share) == (7, "class 7", 0.3)
    assert third == ClassShare(0, "sky", (10, 20, 30), 0.2)


def test_colors_beyond_the_palette_differ() -> None:
    colors = {class_color(index, None) for index in range(150)}
    assert len(colors) == 150
    assert class_color(1, PALETTE) == (40, 250, 60)
    assert class_color(3, PALETTE) == class_color(3, None)


def test_opacity_blends_photo_and_colors() -> None:
    mask = stripes(400, 600, 3)
    colors = np.array(PALETTE, dtype=np.uint8)[mask]
    assert np.array_equal(blend(PHOTOGRAPH, mask, PALETTE, 0), PHOTOGRAPH)
    assert np.array_equal(blend(PHOTOGRAPH, mask, PALETTE, 1), colors)
    half = np.floor((PHOTOGRAPH.astype(float) + colors) / 2 + 0.5)
    assert np.array_equal(blend(PHOTOGRAPH, mask, PALETTE, 0.5), half)


def test_masks_of_more_than_256_classes_are_colored() -> None:
    mask = np.array([[0, 299]], dtype=np.uint16)
    blended = blend(np.zeros((1, 2, 3), np.uint8), mask, None, 1)
    assert blended[0].tolist() == [list(class_color(0, None)), list(class_color(299, None))]


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the mask is \[4, 5\]. Allowed: \[400, 600\]"):
        blend(PHOTOGRAPH, np.zeros((4, 5), np.uint8), PALETTE)
    with pytest.raises(UsageError, match=r"opacity is 1\.5"):
        blend(PHOTOGRAPH, np.zeros((400, 600), np.uint8), PALETTE, 1.5)


@pytest.mark.parametrize("note", [None, RANDOM_WEIGHTS_NOTE])
@pytest.mark.parametrize("size", [(400, 600), (600, 400), (60, 900), (900, 60), (1, 1), (33, 20)])
@pytest.mark.parametrize("classes", [1, 5, 12, 13, 150])
def test_nothing_is_clipped(size: tuple[int, int], classes: int, note: str | None) -> None:
    labels = get_task("ade20k").labels
    image = np.zeros((*size, 3), np.uint8)
    mask = stripes(*size, classes)
    canvas = np.asarray(draw_overlay(image, mask, labels, PALETTE, 1, note))
    top = 0
    if note is not None:
        # The strip of the note is amber at all four edges: no letter touches them.
        top = int(np.argmin((canvas[:, 0] == AMBER).all(axis=1)))
        strip = canvas[:top]
        assert top >= 13
        for edge in (strip[0], strip[-1], strip[:, 0], strip[:, -1]):
            assert (edge == AMBER).all()
        assert (strip != AMBER).any()
    height, width = size
    assert np.array_equal(canvas[top : top + height, :width], blend(image, mask, PALETTE, 1))
    # The rest of the image is the legend, whose panel surrounds its text.
    on_the_right = canvas.shape[1] > width and canvas.shape[0] == top + height
    legend = canvas[top:, width:] if on_the_right else canvas[top + height :]
    assert (legend != PANEL).any()
    for edge in (legend[0], legend[-1], legend[:, 0], legend[:, -1]):
        assert (edge == PANEL).all()


def test_the_legend_lists_the_largest_classes() -> None:
    colors = [class_color(index, None) for index in range(20)]
    mask = stripes(400, 600, 20)
    canvas = np.asarray(draw_overlay(PHOTOGRAPH, mask, [], None, 0, max_classes=12))
    legend = canvas[:, 600:].reshape(-1, 3)
    shown = [color for color in colors if (legend == color).all(axis=1).sum() > 50]
    assert shown == colors[:12]


def test_letters_scale_with_the_photo() -> None:
    large = np.asarray(Image.fromarray(PHOTOGRAPH).resize((2400, 1600)))
    small_panel = draw_overlay(PHOTOGRAPH, stripes(400, 600, 3), LABELS, PALETTE).width - 600
    large_panel = draw_overlay(large, stripes(1600, 2400, 3), LABELS, PALETTE).width - 2400
    assert 3.5 < large_panel / small_panel < 4.5


def test_long_and_foreign_names_widen_the_legend() -> None:
    mask = stripes(400, 600, 3)
    plain = draw_overlay(PHOTOGRAPH, mask, ["a", "b", "c"], PALETTE)
    wide = draw_overlay(PHOTOGRAPH, mask, ["a" * 80, "b", "c"], PALETTE)
    assert wide.width > plain.width + 400
    # The font lacks these letters: accents are dropped, other scripts become a number.
    accented = draw_overlay(PHOTOGRAPH, mask, ["v\u00e9g\u00e9tation", "\u6a39", "c"], PALETTE)
    spelled = draw_overlay(PHOTOGRAPH, mask, ["vegetation", "class 1", "c"], PALETTE)
    assert np.array_equal(np.asarray(accented), np.asarray(spelled))
