"""Average precision: cases counted by hand, a plain implementation, and resampled images."""

from collections.abc import Sequence

import numpy as np
import pytest

from seaformer.datasets import Box, Boxes
from seaformer.detection.detections import Detections
from seaformer.evaluation.average_precision import MEASURES, DetectionScores
from seaformer.evaluation.detection_comparison import compare_detections

SIZE = (200, 200)
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def truth(*boxes: tuple[float, ...], crowd: Sequence[tuple[float, ...]] = ()) -> Boxes:
    """Return boxes given as left, top, right, bottom and class."""

    def box(row: tuple[float, ...], is_crowd: bool) -> Box:
        left, top, right, bottom, index = row
        area = (right - left) * (bottom - top)
        return Box(left, top, right, bottom, int(index), area, is_crowd)

    groups = (box(row, True) for row in crowd)
    return Boxes(SIZE, (*(box(row, False) for row in boxes), *groups))


def found(*rows: tuple[float, ...]) -> Detections:
    """Return detections given as left, top, right, bottom, class and score."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 5], table[:, 4].astype(np.int64))


def scores(truths: list[Boxes], detections: list[Detections], classes: int = 2) -> dict[str, float]:
    values = DetectionScores(truths, detections, classes).values
    return dict(zip((*MEASURES, *range(classes)), values.tolist(), strict=True))


def test_scores_counted_by_hand() -> None:
    # Class 0: a perfect box below a wrong one, so that precision is 1/2 up to recall 1.
    # Class 1: of two objects, one is found with an intersection over union of 0.72, at 5 of 10
    # thresholds; precision is 1 at the 51 of 101 recalls up to 1/2.
    given = scores(
        [truth((0, 0, 20, 20, 0), (0, 0, 100, 100, 1)), truth((50, 50, 60, 60, 1))],
        [
            found((0, 0, 20, 20, 0, 0.5), (0, 0, 100, 72, 1, 0.4)),
            found((100, 100, 120, 120, 0, 0.9)),
        ],
    )
    class_1 = 0.5 * 51 / 101
    assert given[0] == pytest.approx(0.5)
    assert given[1] == pytest.approx(class_1)
    assert given["ap"] == pytest.approx((0.5 + class_1) / 2)
    assert given["ap50"] == pytest.approx((0.5 + 51 / 101) / 2)
    assert given["ap75"] == pytest.approx(0.25)
    assert given["ap_small"] == pytest.approx(0.25)  # class 1 has an object of 100 pixels, missed
    assert given["ap_large"] == pytest.approx(0.5)
    assert np.isnan(given["ap_medium"])


def test_detections_in_a_group_do_not_count() -> None:
    given = scores(
        [truth((0, 0, 20, 20, 0), crowd=[(50, 50, 150, 150, 0)])],
        [found((60, 60, 80, 80, 0, 0.9), (0, 0, 20, 20, 0, 0.5))],
        classes=1,
    )
    assert given["ap"] == pytest.approx(1)


def test_nothing_annotated_and_nothing_found() -> None:
    assert np.isnan(scores([truth()], [found((0, 0, 5, 5, 0, 0.9))])["ap"])
    assert scores([truth((0, 0, 9, 9, 0))], [found()])["ap"] == 0


def random_images(seed: int, count: int) -> tuple[list[Boxes], list[Detections]]:
    """Return images of two classes whose boxes are found roughly, in part, and with duplicates."""
    random = np.random.default_rng(seed)
    truths, detections = [], []
    for _ in range(count):
        corners = random.uniform(0, 100, (random.integers(1, 6), 2))
        corners = np.concatenate([corners, corners + random.uniform(5, 99, corners.shape)], axis=1)
        classes = random.integers(0, 2, len(corners))
        truths.append(truth(*map(tuple, np.column_stack([corners, classes]))))
        places = random.integers(0, len(corners), random.integers(0, 9))
        rough = corners[places] + random.normal(0, 4, (len(places), 4))
        rough[:, 2:] = np.maximum(rough[:, 2:], rough[:, :2] + 1)
        rows = np.column_stack([rough, classes[places], random.uniform(0.05, 1, len(places))])
        detections.append(found(*map(tuple, rows)))
    return truths, detections


def plain_ap(truths: list[Boxes], detections: list[Detections], index: int, least: float) -> float:
    """Compute the average precision of a class at one threshold, detection by detection."""
    ranked = sorted(
        (
            (score, image, box)
            for image, of_image in enumerate(detections)
            for box, score, class_index in of_image
            if class_index == index
        ),
        key=lambda row: -row[0],
    )
    free = [[box for box in one.boxes if box.class_index == index] for one in truths]
    objects, outcomes = sum(map(len, free)), []
    for _, image, box in ranked:
        overlaps = [overlap(box, other) for other in free[image]]
        is_hit = bool(overlaps) and max(overlaps) >= least
        outcomes.append(is_hit)
        if is_hit:
            free[image].pop(int(np.argmax(overlaps)))
    hits = np.cumsum(outcomes)
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / objects
    return float(
        np.mean([max(precision[recall >= r], default=0.0) for r in np.linspace(0, 1, 101)])
    )


def overlap(box: Sequence[float], other: Sequence[float]) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = ((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return float(shared / (sum(areas) - shared))


def test_scores_equal_those_of_a_plain_implementation() -> None:
    truths, detections = random_images(0, 30)
    expected = np.array(
        [[plain_ap(truths, detections, index, t) for t in THRESHOLDS] for index in range(2)]
    )
    given = scores(truths, detections)
    assert 0.1 < given["ap"] < 0.9
    assert given["ap"] == pytest.approx(expected.mean())
    assert given["ap50"] == pytest.approx(expected[:, 0].mean())
    assert given["ap75"] == pytest.approx(expected[:, 5].mean())
    assert [given[0], given[1]] == pytest.approx(expected.mean(axis=1))


def test_drawn_images_score_like_a_data_set_of_them() -> None:
    truths, detections = random_images(1, 12)
    model = DetectionScores(truths, detections, 2)
    weights = np.random.default_rng(0).integers(0, 4, (5, 12)).astype(float)
    weights[0] = 1
    resampled = model.resampled(weights)
    assert resampled[0] == pytest.approx(model.values, nan_ok=True)
    for row, values in zip(weights.astype(int), resampled, strict=True):
        drawn = np.repeat(np.arange(12), row)
        whole = DetectionScores([truths[i] for i in drawn], [detections[i] for i in drawn], 2)
        assert values == pytest.approx(whole.values, nan_ok=True)


def test_a_difference_has_an_interval_and_equal_models_have_none() -> None:
    truths, detections = random_images(2, 40)
    worse = [Detections(one.boxes + 3, one.scores, one.classes) for one in detections]
    names = [str(place) for place in range(40)]
    first, same, other = compare_detections(
        names, truths, [detections, detections, worse], classes=2
    )
    assert first.changes == {}
    assert same.changes["ap"] == (0, 0, 0)
    points, low, high = other.changes["ap"]
    assert low < points < high < 0
    assert points == pytest.approx(100 * (other.scores["ap"] - first.scores["ap"]))
    low, high = first.intervals["ap"]
    assert low < first.scores["ap"] < high
    assert sum(first.objects) == sum(len(one.boxes) for one in truths)
    shown = [score for score, _ in first.worst]
    assert shown == sorted(shown)
