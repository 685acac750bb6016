"""Anchors, decoding and suppression in NumPy, tested with hand-made cases."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from seaformer.artifact.detection_output import AnchorLevel, DetectionOutput
from seaformer.detection.anchors import anchors_at
from seaformer.detection.decoding import decode
from seaformer.detection.suppression import suppress
from seaformer.errors import SeaformerError

LEVELS = (
    AnchorLevel(grid=(2, 3), stride=(8, 8), sizes=(4.0, 8.0), aspect_ratios=(1.0,)),
    AnchorLevel(grid=(1, 2), stride=(16, 16), sizes=(16.0,), aspect_ratios=(0.5, 1.0)),
)
SIZE = (16, 24)
CLASSES = 3
NEVER = -20.0


def described(**changes: Any) -> DetectionOutput:
    members: dict[str, Any] = {
        "levels": LEVELS,
        "box_weights": (1.0, 1.0, 1.0, 1.0),
        "max_log_scale": math.log(1000 / 16),
        "score_threshold": 0.05,
        "candidates_per_level": 1000,
        "iou_threshold": 0.5,
        "max_detections": 100,
    }
    return DetectionOutput(**members | changes)


def silent() -> np.ndarray:
    """Return an output without detections, for 12 + 4 anchors."""
    output = np.zeros((1, 16, CLASSES + 4), np.float32)
    output[..., :CLASSES] = NEVER
    return output


def test_anchors_are_ordered_by_row_column_ratio_and_size() -> None:
    fine = anchors_at(LEVELS[0], np.arange(12))
    assert fine[:4].tolist() == [[-2, -2, 2, 2], [-4, -4, 4, 4], [6, -2, 10, 2], [4, -4, 12, 4]]
    assert fine[6].tolist() == [-2, 6, 2, 10]  # the second row
    # 16 / sqrt(2) = 11.3 pixels high and 22.6 wide; halves are rounded.
    assert anchors_at(LEVELS[1], np.array([0, 1])).tolist() == [[-11, -6, 11, 6], [-8, -8, 8, 8]]


def test_boxes_are_decoded_clipped_and_scaled_to_the_image() -> None:
    output = silent()
    output[0, 2, 1] = 2.0  # centered at x 8, y 0
    output[0, 2, CLASSES:] = 0.25, 1.0, math.log(2), 0.0
    found = decode(output, described(), SIZE)
    assert found.classes.tolist() == [1]
    np.testing.assert_allclose(found.scores, [1 / (1 + math.exp(-2))], rtol=1e-6)
    # Center (8 + 0.25 * 4, 0 + 1 * 4), 8 pixels wide, 4 high.
    np.testing.assert_allclose(found.boxes, [[5, 2, 13, 6]], rtol=1e-6)
    scaled = decode(output, described(), SIZE, image_size=(32, 240))
    np.testing.assert_allclose(scaled.boxes, [[50, 4, 130, 12]], rtol=1e-6)
    output[0, 2, CLASSES:] = 0, 0, 100, 0  # limited to 1000 / 16 times the size, then to the input
    assert decode(output, described(), SIZE).boxes.tolist() == [[0, 0, 24, 2]]


def test_weights_divide_the_offsets() -> None:
    output = silent()
    output[0, 2, 1] = 2.0
    output[0, 2, CLASSES:] = 2.5, 10.0, 5 * math.log(2), 0.0
    found = decode(output, described(box_weights=(10.0, 10.0, 5.0, 5.0)), SIZE)
    np.testing.assert_allclose(found.boxes, [[5, 2, 13, 6]], rtol=1e-6)


def test_limits_of_candidates_and_detections() -> None:
    output = silent()
    output[0, :, 0] = np.linspace(-1, 2.1, 16)  # the best are in the last level
    everything = decode(output, described(iou_threshold=1.0), SIZE)
    assert len(everything) == 16
    assert (np.diff(everything.scores) <= 0).all()
    per_level = decode(output, described(iou_threshold=1.0, candidates_per_level=3), SIZE)
    assert len(per_level) == 6
    np.testing.assert_array_equal(per_level.scores[:3], everything.scores[:3])
    best = decode(output, described(iou_threshold=1.0, max_detections=2), SIZE)
    np.testing.assert_array_equal(best.boxes, everything.boxes[:2])
    half = decode(output, described(iou_threshold=1.0, score_threshold=0.5), SIZE)
    assert len(half) == (output[0, :, 0] > 0).sum()
    assert len(decode(output, described(score_threshold=1.0), SIZE)) == 0
    np.testing.assert_array_equal(everything.above(0.5).scores, half.scores)
    np.testing.assert_array_equal(everything.first(2).scores, best.scores)


def test_one_anchor_can_be_of_several_classes() -> None:
    output = silent()
    output[0, 5, :CLASSES] = 1, NEVER, 2
    found = decode(output, described(), SIZE)
    assert found.classes.tolist() == [2, 0]
    np.testing.assert_array_equal(found.boxes[0], found.boxes[1])


def test_no_detection_is_an_empty_result() -> None:
    found = decode(silent(), described(), SIZE)
    assert (found.boxes.shape, found.scores.shape, found.classes.shape) == ((0, 4), (0,), (0,))
    assert list(found) == []


def test_suppression_is_within_a_class_and_by_the_best() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [0, 0, 10, 6], [0, 2, 10, 6], [0, 0, 10, 10], [3, 3, 3, 3], [3, 3, 3, 3]],
        np.float32,
    )
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.5], np.float32)
    # The second overlaps the first by 0.6; the third only the second, which was removed.
    # Empty boxes overlap nothing, not even each other.
    classes = np.array([1, 1, 1, 2, 1, 1])
    assert suppress(boxes, scores, classes, 0.5, 100).tolist() == [0, 2, 3, 4, 5]
    assert suppress(boxes, scores, classes, 0.6, 100).tolist() == [0, 1, 3, 4, 5]
    assert suppress(boxes, scores, classes, 0.5, 2).tolist() == [0, 2]


@pytest.mark.parametrize("shape", [(1, 15, 7), (2, 16, 7), (16, 7), (1, 16, 4)])
def test_an_output_that_does_not_fit_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(SeaformerError, match=r"Allowed: \[1, 16, classes \+ 4\]"):
        decode(np.zeros(shape, np.float32), described(), SIZE)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("levels", ()),
        ("box_weights", (1.0, 1.0, 1.0, 0.0)),
        ("max_log_scale", 17.0),
        ("score_threshold", 1.1),
        ("candidates_per_level", 0),
        ("candidates_per_level", 10**6),
        ("iou_threshold", math.nan),
        ("max_detections", 10**6),
    ],
)
def test_values_from_a_file_have_limits(member: str, value: object) -> None:
    with pytest.raises(ValidationError, match=member):
        described(**{member: value})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("grid", (0, 4)),
        ("grid", (4, 10**5)),
        ("stride", (8, 0)),
        ("sizes", ()),
        ("sizes", (math.inf,)),
        ("sizes", (1.0,) * 65),
        ("aspect_ratios", (-1.0,)),
    ],
)
def test_anchors_from_a_file_have_limits(member: str, value: object) -> None:
    level: dict[str, Any] = LEVELS[0].model_dump() | {member: value}
    with pytest.raises(ValidationError, match=member):
        AnchorLevel(**level)


def test_the_number_of_anchors_has_a_limit() -> None:
    level = AnchorLevel(grid=(4096, 4096), stride=(1, 1), sizes=(1.0,), aspect_ratios=(1.0,))
    with pytest.raises(ValidationError, match=r"16777216 anchors\. Allowed: at most 4194304"):
        described(levels=(level,))
