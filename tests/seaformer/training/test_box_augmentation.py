"""Augmentation of images with boxes: every box stays on its object."""

from dataclasses import replace

import numpy as np
import pytest

from seaformer.datasets import Box, Boxes
from seaformer.tasks import get_task
from seaformer.training.box_augmentation import augment_boxes
from seaformer.training.recipe import RECIPES, Recipe

TASK = get_task("shapes-detection")
BRIGHT = 250


def recipe(**changes: object) -> Recipe:
    return replace(RECIPES["shapes-detection"], crop=(64, 64), **changes)  # type: ignore[arg-type]


def scene(*corners: tuple[int, int, int, int]) -> tuple[np.ndarray, Boxes]:
    """Return a dark image of 96 x 128 pixels with bright rectangles, each of another class."""
    image = np.zeros((96, 128, 3), np.uint8)
    for left, top, right, bottom in corners:
        image[top:bottom, left:right] = BRIGHT
    boxes = (Box(*map(float, box), index, 1.0) for index, box in enumerate(corners))  # type: ignore[arg-type]
    return image, Boxes((96, 128), tuple(boxes))


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.5, 2.0)])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_boxes_stay_on_their_objects(scale: tuple[float, float], flip: float) -> None:
    image, truth = scene((10, 20, 60, 50), (80, 60, 120, 90))
    seen = 0
    for seed in range(40):
        example, corners, classes = augment_boxes(
            image, truth, TASK, recipe(scale=scale, flip=flip), np.random.default_rng(seed)
        )
        assert (example.shape, example.dtype) == ((3, 64, 64), np.float32)
        assert (corners.dtype, classes.dtype) == (np.float32, np.int64)
        assert len(corners) == len(classes)
        is_bright = example[0] > 1
        for left, top, right, bottom in np.round(corners).astype(int):
            seen += 1
            assert 0 <= left < right <= 64
            assert 0 <= top < bottom <= 64
            inside = is_bright[top:bottom, left:right]
            assert inside.mean() > 0.8, (seed, corners)
    assert seen > 20


def test_boxes_that_the_crop_hardly_contains_are_left_out() -> None:
    image, truth = scene((60, 0, 128, 96))  # at twice the size, the crop has at most 36 % of it
    twice = recipe(scale=(2.0, 2.0))
    counts = {
        len(augment_boxes(image, truth, TASK, twice, np.random.default_rng(seed))[1])
        for seed in range(30)
    }
    assert counts == {0, 1}


def test_groups_and_empty_images_have_no_boxes() -> None:
    image, _ = scene()
    crowd = Boxes((96, 128), (Box(0, 0, 128, 96, 0, 1.0, is_crowd=True),))
    for truth in (crowd, Boxes((96, 128), ())):
        _, corners, classes = augment_boxes(image, truth, TASK, recipe(), np.random.default_rng(0))
        assert corners.shape == (0, 4)
        assert classes.shape == (0,)
