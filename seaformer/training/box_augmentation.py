"""Random augmentation of a training image and its boxes: scale, crop, flip and colors."""

import numpy as np
import numpy.typing as npt

from seaformer.datasets import Boxes
from seaformer.tasks import Task
from seaformer.training.augmentation import finished, resized, scaled_size
from seaformer.training.recipe import Recipe

MIN_SHARE = 0.25
"""Minimum share of a box that the crop contains; other boxes are omitted."""

MIN_SIDE = 1.0
"""Minimum side of a box in the crop, in pixels; smaller boxes are omitted."""

_Corners = npt.NDArray[np.float32]


def augment_boxes(
    image: npt.NDArray[np.uint8],
    truth: Boxes,
    task: Task,
    recipe: Recipe,
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], _Corners, npt.NDArray[np.int64]]:
    """Make a training example by augmenting an image and its boxes.

    Args:
        image: uint8 [H, W, 3], RGB.
        truth: its boxes; those of groups are omitted.
        task: normalization and channel order, and the size that scales refer to.
        recipe: which augmentations are applied, and how strongly.
        random: random number generator.

    Returns:
        The normalized image, float32 [3, h, w], at the size of the recipe's crop; the boxes,
        float32 [N, 4], left, top, right, bottom in pixels of the crop; and their classes, int64
        [N].
    """
    single = truth.single()
    corners, classes = single.corners(), single.classes()
    size = scaled_size(truth.size, task, recipe, random)
    if size != truth.size:
        image = resized(image, size)
        corners = corners * np.tile(np.divide(size, truth.size)[::-1], 2).astype(np.float32)
    top, left = (
        int(random.integers(max(whole - part, 0) + 1))
        for whole, part in zip(size, recipe.crop, strict=True)
    )
    image = image[top : top + recipe.crop[0], left : left + recipe.crop[1]]
    height, width = image.shape[:2]
    corners, is_kept = _cropped(corners, (left, top), (width, height))
    classes = classes[is_kept]
    if random.random() < recipe.flip:
        image = image[:, ::-1]
        corners = np.stack(
            [width - corners[:, 2], corners[:, 1], width - corners[:, 0], corners[:, 3]], axis=1
        )
    return finished(image, task, recipe, random), corners, classes


def _cropped(
    corners: _Corners, origin: tuple[int, int], size: tuple[int, int]
) -> tuple[_Corners, npt.NDArray[np.bool_]]:
    """Return the boxes that stay, in pixels of the crop, and a mask of them; pairs are (x, y)."""
    moved = corners - np.tile(np.asarray(origin, np.float32), 2)
    inside = moved.clip(0, np.tile(np.asarray(size, np.float32), 2))
    whole, sides = moved[:, 2:] - moved[:, :2], inside[:, 2:] - inside[:, :2]
    is_kept = (sides >= MIN_SIDE).all(axis=1) & (
        sides.prod(axis=1) >= MIN_SHARE * whole.prod(axis=1)
    )
    return inside[is_kept], is_kept
