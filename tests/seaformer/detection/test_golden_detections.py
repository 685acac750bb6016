"""Decoding in NumPy, compared with golden detections of torchvision."""

import json
from typing import Any

import numpy as np
import pytest
from locations import GOLDEN

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.detection.agreement import DetectionAgreement
from seaformer.detection.decoding import decode
from seaformer.detection.detections import Detections

CASES = json.loads((GOLDEN / "detections.json").read_text())


def decoded(case: dict[str, Any]) -> Detections:
    described = DetectionOutput.model_validate_json(json.dumps(case["detection"]))
    output = np.array(case["output"], np.float32).reshape(case["shape"])
    input_size, image_size = (
        (size[0], size[1]) for size in (case["input_size"], case["image_size"])
    )
    return decode(output, described, input_size, image_size)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_detections_are_those_of_torchvision(case: dict[str, Any]) -> None:
    found = decoded(case)
    assert found.classes.tolist() == case["classes"]
    np.testing.assert_allclose(found.scores, case["scores"], atol=2e-6)
    expected = np.array(case["boxes"], np.float32).reshape(-1, 4)
    np.testing.assert_allclose(found.boxes, expected, rtol=1e-5, atol=2e-4)


def detections(*rows: tuple[float, int, list[float]]) -> Detections:
    scores, classes, boxes = zip(*rows, strict=True)
    return Detections(
        np.array(boxes, np.float32), np.array(scores, np.float32), np.array(classes, np.int64)
    )


def shared(one: Detections, other: Detections) -> tuple[int, int]:
    agreement = DetectionAgreement()
    agreement.add(one, other)
    return agreement.common, agreement.confident


def test_detections_in_common() -> None:
    assert DetectionAgreement().share is None
    box, shifted, elsewhere = [0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60]
    one = detections((0.9, 3, box), (0.8, 4, elsewhere))
    assert shared(one, one) == (4, 4)
    assert shared(one, detections((0.9, 3, shifted), (0.8, 4, elsewhere))) == (4, 4)
    # Another class, and another place.
    assert shared(one, detections((0.9, 5, box), (0.8, 4, box))) == (0, 4)
    # A confident detection of one model may have a low score in the other.
    assert shared(one, detections((0.4, 3, box))) == (1, 2)
    # No detection is both confident and inside the image.
    assert shared(detections((0.4, 3, box)), detections((0.9, 3, [10, 10, 10, 20]))) == (0, 0)
    both = DetectionAgreement()
    for _ in range(2):
        both.add(one, detections((0.9, 3, box)))
    assert both.share == 4 / 6
