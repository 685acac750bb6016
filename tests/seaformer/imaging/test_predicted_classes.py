"""PP-MobileSeg's upsampling of predicted classes, which `bench` compares with the exact mask."""

import numpy as np
import pytest
import torch
from predicted_classes import NativePredictedClasses, by_torch

from seaformer.imaging.upsampling import upsample_argmax


@pytest.fixture(scope="module")
def native() -> NativePredictedClasses:
    return NativePredictedClasses()


@pytest.mark.parametrize("size", [(64, 96), (33, 50), (7, 5)])
def test_c_and_pytorch_give_the_same_mask(
    size: tuple[int, int], native: NativePredictedClasses
) -> None:
    logits = np.random.default_rng(0).standard_normal((30, 8, 12), np.float32)
    logits[20:] -= 5  # classes that are predicted nowhere
    expected = by_torch(torch.from_numpy(logits), size).numpy()
    np.testing.assert_array_equal(native.prepare(logits, size)(), expected)


def test_it_is_exact_if_every_class_is_predicted(native: NativePredictedClasses) -> None:
    logits = np.random.default_rng(0).standard_normal((9, 16, 16), np.float32)
    assert len(np.unique(logits.argmax(0))) == len(logits)
    mask = native.prepare(logits, (128, 128))()
    np.testing.assert_array_equal(mask, upsample_argmax(logits, (128, 128)))


def test_a_class_that_wins_only_between_positions_is_lost(native: NativePredictedClasses) -> None:
    logits = np.array([[[4, 0]], [[0, 4]], [[3, 3]]], np.float32)
    assert 2 in upsample_argmax(logits, (8, 16))
    assert 2 not in native.prepare(logits, (8, 16))()
    assert 2 not in by_torch(torch.from_numpy(logits), (8, 16))
