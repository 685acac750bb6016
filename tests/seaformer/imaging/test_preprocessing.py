"""Preprocessing: resizing by Pillow, center crop, order of channels, normalization."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare, seen_part
from seaformer.tasks import TASKS, Preprocessing, get_task

PHOTOGRAPH = read_image(sample_photograph())
ADE20K = get_task("ade20k").preprocessing
IMAGENET = get_task("imagenet").preprocessing


@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_task_has_its_input_size(name: str) -> None:
    preprocessing = get_task(name).preprocessing
    x = prepare(PHOTOGRAPH, preprocessing)
    assert x.shape == (*preprocessing.input_size, 3)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert x.min() >= 0
    assert x.max() <= 255
    assert np.array_equal(x, np.round(x))


def test_stretching_is_one_resize_by_pillow() -> None:
    expected = Image.fromarray(PHOTOGRAPH).resize((512, 256), Image.Resampling.BILINEAR)
    x = prepare(PHOTOGRAPH, ADE20K, (256, 512))
    assert np.array_equal(x, np.asarray(expected))


def test_the_requested_interpolation_is_used() -> None:
    bicubic = replace(ADE20K, interpolation="bicubic")
    expected = Image.fromarray(PHOTOGRAPH).resize((96, 96), Image.Resampling.BICUBIC)
    assert np.array_equal(prepare(PHOTOGRAPH, bicubic, (96, 96)), np.asarray(expected))
    assert not np.array_equal(prepare(PHOTOGRAPH, ADE20K, (96, 96)), np.asarray(expected))


def test_every_pixel_counts_in_downscaling() -> None:
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    image = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    x = prepare(image, ADE20K, (32, 32))
    assert np.abs(x[2:-2, 2:-2] - 127.5).max() <= 1


def test_an_image_of_the_input_size_is_unchanged() -> None:
    assert np.array_equal(prepare(PHOTOGRAPH, ADE20K, (400, 600)), PHOTOGRAPH)


@pytest.mark.parametrize(
    ("shape", "scaled"),
    [
        ((400, 600), (256, 384)),
        ((600, 400), (384, 256)),
        ((300, 451), (256, 385)),  # 384.85 is rounded up
        ((256, 256), (256, 256)),
        ((30, 20), (384, 256)),
    ],
)
def test_center_crop_resizes_and_crops(shape: tuple[int, int], scaled: tuple[int, int]) -> None:
    image = np.asarray(Image.fromarray(PHOTOGRAPH).resize((shape[1], shape[0])))
    whole = Image.fromarray(image).resize((scaled[1], scaled[0]), Image.Resampling.BICUBIC)
    top, left = (scaled[0] - 224) // 2, (scaled[1] - 224) // 2
    expected = np.asarray(whole)[top : top + 224, left : left + 224]
    assert np.array_equal(prepare(image, IMAGENET), expected)


def test_center_crop_covers_an_input_that_is_not_square() -> None:
    x = prepare(PHOTOGRAPH, replace(IMAGENET, crop_fraction=1.0), (100, 300))
    whole = Image.fromarray(PHOTOGRAPH).resize((300, 200), Image.Resampling.BICUBIC)
    assert np.array_equal(x, np.asarray(whole)[50:150])


def test_rounding_of_a_division_adds_no_pixel() -> None:
    # 224 / 0.896 is 250, but 250.00000000000003 in floating point.
    preprocessing = replace(IMAGENET, crop_fraction=0.896)
    image = PHOTOGRAPH[:250, :250]
    assert np.array_equal(prepare(image, preprocessing), image[13:237, 13:237])


def test_an_extreme_aspect_ratio_is_refused_before_allocation() -> None:
    with pytest.raises(
        SeaformerError, match=r"20000 x 1 pixels .* to 5120000 x 256, .* above 250 mega"
    ):
        prepare(np.zeros((1, 20_000, 3), np.uint8), IMAGENET)


def test_channels_are_in_the_order_of_the_task() -> None:
    bgr = prepare(PHOTOGRAPH, replace(ADE20K, color_order="BGR"))
    assert np.array_equal(bgr[:, :, ::-1], prepare(PHOTOGRAPH, ADE20K))
    assert bgr.flags.c_contiguous


def test_normalization_matches_the_formula() -> None:
    x = np.array([[[123.675, 116.28, 103.53], [0, 0, 0], [255, 255, 255]]], dtype=np.float32)
    expected = [
        [0, 0, 0],
        [-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375],
        [131.325 / 58.395, 138.72 / 57.12, 151.47 / 57.375],
    ]
    normalized = normalize(x, ADE20K)
    assert normalized.dtype == np.float32
    assert np.allclose(normalized[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(UsageError, match="Allowed: uint8"):
        prepare(image, ADE20K)


@pytest.mark.parametrize(
    ("preprocessing", "part"),
    [
        (ADE20K, PHOTOGRAPH),
        # The center 224 x 224 of 256 x 384, which is 350 x 350 of 400 x 600.
        (IMAGENET, PHOTOGRAPH[25:375, 125:475]),
    ],
)
def test_the_visible_part_matches_the_input(preprocessing: Preprocessing, part: np.ndarray) -> None:
    assert np.array_equal(seen_part(PHOTOGRAPH, preprocessing), part)
