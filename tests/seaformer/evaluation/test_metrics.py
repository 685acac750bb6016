"""Accuracy measures, compared with counts by hand, exact fractions and torchmetrics."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.metrics import ConfusionMatrix, top_classes
from seaformer.evaluation.results import numbering_hint
from seaformer.evaluation.tally import Tally, count_guesses
from seaformer.tasks import get_task

IGNORED = 255


def matrix_of(counts: list[list[int]]) -> ConfusionMatrix:
    matrix = ConfusionMatrix(len(counts))
    matrix.add(
        [row, column, count] for row, line in enumerate(counts) for column, count in enumerate(line)
    )
    return matrix


def random_masks(seed: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    truth = random.randint(0, classes, (40, 50)).astype(np.uint8)
    predicted = np.where(random.rand(40, 50) < 0.6, truth, random.randint(0, classes, (40, 50)))
    truth[random.rand(40, 50) < 0.1] = IGNORED
    return truth, predicted.astype(np.uint8)


def test_a_known_matrix() -> None:
    scores = matrix_of([[50, 3, 7], [2, 20, 8], [0, 5, 5]]).scores()
    assert scores.iou == (50 / 62, 20 / 38, 5 / 25)
    assert scores.accuracy == (50 / 60, 20 / 30, 5 / 10)
    # (50/62 + 20/38 + 5/25) / 3 and (50/60 + 20/30 + 5/10) / 3, with a common denominator.
    assert scores.miou == 4514 / 8835 == 0.51092246745897
    assert scores.mean_accuracy == 2 / 3
    assert scores.pixel_accuracy == 0.75
    assert scores.pixels == (60, 30, 10)


def test_absent_classes_have_no_score_and_do_not_count() -> None:
    # Class 1 is only in the prediction, class 3 is absent.
    scores = matrix_of([[6, 2, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]).scores()
    assert scores.iou[:3] == (6 / 9, 0, 1 / 2)
    assert math.isnan(scores.iou[3])
    assert scores.miou == (6 / 9 + 0 + 1 / 2) / 3
    assert scores.accuracy[0::2] == (6 / 8, 1 / 2)
    assert math.isnan(scores.accuracy[1])
    assert math.isnan(scores.accuracy[3])
    assert scores.mean_accuracy == (6 / 8 + 1 / 2) / 2
    assert scores.pixel_accuracy == 7 / 10


def test_an_empty_matrix_has_no_score() -> None:
    scores = ConfusionMatrix(2).scores()
    assert all(math.isnan(value) for value in (scores.miou, scores.pixel_accuracy, *scores.iou))


@pytest.mark.parametrize("seed", range(5))
def test_equals_exact_fractions(seed: int) -> None:
    classes = 7
    truth, predicted = random_masks(seed, classes)
    matrix = ConfusionMatrix(classes)
    matrix.update(truth, predicted)
    ious, accuracies = [], []
    for index in range(classes):
        is_true = {tuple(place) for place in np.argwhere(truth == index)}
        counted = {tuple(place) for place in np.argwhere(truth != IGNORED)}
        is_found = {tuple(place) for place in np.argwhere(predicted == index)} & counted
        ious.append(Fraction(len(is_true & is_found), len(is_true | is_found)))
        accuracies.append(Fraction(len(is_true & is_found), len(is_true)))
    scores = matrix.scores()
    assert scores.iou == tuple(map(float, ious))
    assert scores.accuracy == tuple(map(float, accuracies))
    assert scores.miou == pytest.approx(float(sum(ious) / classes), rel=1e-15)
    assert scores.mean_accuracy == pytest.approx(float(sum(accuracies) / classes), rel=1e-15)


@pytest.mark.parametrize("absent", [False, True])
def test_equals_torchmetrics(absent: bool) -> None:
    truth, predicted = random_masks(0, 6)
    classes = 8 if absent else 6
    matrix = ConfusionMatrix(classes)
    matrix.update(truth, predicted)
    ours = matrix.scores()

    def theirs(metric: type, average: str) -> torch.Tensor:
        measure = metric(classes, average=average, ignore_index=IGNORED)
        return measure(torch.from_numpy(predicted).long(), torch.from_numpy(truth).long())

    assert ours.miou == pytest.approx(theirs(MulticlassJaccardIndex, "macro").item(), rel=1e-6)
    np.testing.assert_allclose(
        np.nan_to_num(ours.iou), theirs(MulticlassJaccardIndex, "none"), rtol=1e-6
    )
    assert ours.mean_accuracy == pytest.approx(theirs(MulticlassAccuracy, "macro").item(), rel=1e-6)
    assert ours.pixel_accuracy == pytest.approx(
        theirs(MulticlassAccuracy, "micro").item(), rel=1e-6
    )


def test_matrices_are_additive() -> None:
    truth, predicted = random_masks(3, 6)
    whole, pieces, again = ConfusionMatrix(6), ConfusionMatrix(6), ConfusionMatrix(6)
    whole.update(truth, predicted)
    for rows in (slice(0, 7), slice(7, 40)):
        pieces.update(truth[rows], predicted[rows])
    again.add(whole.entries())
    assert np.array_equal(whole.counts, pieces.counts)
    assert np.array_equal(whole.counts, again.counts)
    assert whole.counts.sum() == np.count_nonzero(truth != IGNORED)


def test_large_counts_stay_exact() -> None:
    # 2**24 + 1 is not representable in float32, in which mmseg counts.
    scores = matrix_of([[2**40 + 1, 1], [0, 2**24 + 1]]).scores()
    assert scores.pixels == (2**40 + 2, 2**24 + 1)
    assert scores.accuracy == ((2**40 + 1) / (2**40 + 2), 1.0)


def test_a_completely_ignored_image_does_not_count() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.full((2, 2), IGNORED, np.uint8), np.zeros((2, 2), np.uint8))
    assert matrix.entries() == []


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([0, 3], [0, 0], r"class 3 occurs in the ground truth\. Allowed: 0\.\.2"),
        ([0, 1], [0, 7], r"class 7 occurs in the prediction\. Allowed: 0\.\.2"),
        ([0, -1], [0, 0], "class -1 occurs in the ground truth"),
    ],
)
def test_values_that_are_not_classes_are_an_error(
    truth: list[int], predicted: list[int], message: str
) -> None:
    matrix = ConfusionMatrix(3)
    with pytest.raises(SeaformerError, match=message):
        matrix.update(np.array(truth), np.array(predicted))
    assert matrix.counts.sum() == 0


def test_bad_arguments_are_errors() -> None:
    with pytest.raises(UsageError, match=r"0 classes\. Allowed: 1 or more"):
        ConfusionMatrix(0)
    with pytest.raises(UsageError, match=r"ignore_index is 2, a class\. Allowed: 3 or more"):
        ConfusionMatrix(3, ignore_index=2)
    with pytest.raises(UsageError, match=r"truth has shape \[2\], the prediction \[3\]"):
        ConfusionMatrix(3).update(np.zeros(2, int), np.zeros(3, int))


def test_top_classes() -> None:
    assert top_classes(np.array([1.0, 5.0, 3.0, 5.0, -2.0, 4.0])) == [1, 3, 5, 2, 0]
    assert top_classes(np.array([0.5, 0.25])) == [0, 1]


def test_top_1_and_top_5() -> None:
    tally = Tally(10, is_compared=False)
    assert math.isnan(tally.confusion.scores().pixel_accuracy)
    assert math.isnan(tally.top5)
    for truth in (4, 0, 9):
        tally.add("image", count_guesses(truth, [[4, 1, 2, 3, 0]])[0])
    assert (tally.confusion.scores().pixel_accuracy, tally.top5) == (1 / 3, 2 / 3)


def test_masks_with_another_numbering_are_detected_by_the_score() -> None:
    task = get_task("shapes")
    right, shifted = ConfusionMatrix(12, 255), ConfusionMatrix(12, 255)
    found = np.arange(11, dtype=np.uint8)
    right.update(found, found)
    shifted.update(found + 1, found)  # stored from 1, but read as from 0
    assert numbering_hint(right, task) == ""
    hint = numbering_hint(shifted, task)
    assert "100% of the pixels" in hint
    assert "correct with label offset 1" in hint
    assert numbering_hint(shifted, replace(task, label_offset=1)) == ""
