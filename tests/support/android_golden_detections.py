"""Golden detections for the Android app's core, and limits of the members that describe them."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from android_golden_folder import Folder
from android_metadata import Json, detection_of, metadata_of
from locations import GOLDEN

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.artifact.metadata import json_schema
from seaformer.detection.decoding import decode
from seaformer.detection.suppression import intersection_over_union

RANDOM_CASES = 40

SCALE, ZERO_POINT = 0.07, 3
"""Quantization of the random cases with int8 outputs."""

Size = tuple[int, int]


def detections(folder: Folder) -> list[Json]:
    """Write the golden detections of torchvision, and random outputs decoded in Python."""
    cases = []
    for golden in json.loads((GOLDEN / "detections.json").read_text()):
        classes = golden["shape"][2] - 4
        described = _metadata(golden["input_size"], classes, golden["detection"], "float32")
        expected = {member: golden[member] for member in ("boxes", "scores", "classes")}
        output = np.array(golden["output"], np.float32)
        case = _case(folder, golden["name"], described, output, golden["image_size"])
        cases.append(case | expected)
    return cases + [_random(folder, index) for index in range(RANDOM_CASES)]


def _random(folder: Folder, index: int) -> Json:
    """Write a random output with random settings; a third is int8, with many equal scores."""
    rng = np.random.default_rng([9, index])
    dtype = "int8" if index % 3 == 0 else "float32"
    while True:
        size, image_size = _random_size(rng, 32, 200), _random_size(rng, 1, 2000)
        boxes, classes = _random_settings(rng, size), int(rng.integers(1, 8))
        # Some scores are high, and some offsets exceed the limit.
        spread = np.array([2.0] * classes + [0.5 * weight for weight in boxes.box_weights])
        values = rng.normal(0, spread, (1, boxes.anchors, classes + 4))
        output, real = _stored(values, dtype)
        if _is_clear(output=real, boxes=boxes, size=size):
            break
    described = _metadata(size, classes, json.loads(boxes.model_dump_json()), dtype)
    found = decode(real, boxes, size, image_size)
    return _case(folder, f"random {index}", described, output, image_size) | {
        "boxes": found.boxes.tolist(),
        "scores": found.scores.tolist(),
        "classes": found.classes.tolist(),
    }


def _random_size(rng: np.random.Generator, least: int, most: int) -> Size:
    height, width = rng.integers(least, most, 2).tolist()
    return height, width


def _random_settings(rng: np.random.Generator, size: Size) -> DetectionOutput:
    return detection_of(
        size,
        score_threshold=rng.choice([0, 0.05, 0.3, 0.999]),
        candidates_per_level=int(rng.choice([1, 10, 100, 1000])),
        iou_threshold=rng.choice([0.1, 0.5, 0.7]),
        max_detections=int(rng.choice([1, 20, 1000])),
        box_weights=rng.choice([1.0, 5.0, 10.0], 4).tolist(),
        max_log_scale=rng.choice([0.5, 4.0]),
    )


def _stored(values: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return an output in its type, and as float32."""
    if dtype == "float32":
        return values.astype(np.float32), values.astype(np.float32)
    steps = np.clip(np.round(values / SCALE) + ZERO_POINT, -128, 127).astype(np.int8)
    return steps, (steps.astype(np.float32) - ZERO_POINT) * np.float32(SCALE)


def _is_clear(output: np.ndarray, boxes: DetectionOutput, size: Size) -> bool:
    """Whether no two candidates overlap by almost exactly the threshold.

    The last digit of an exponential function, which differs between libraries, would decide whether
    such a box is removed.
    """
    keep_all = {"iou_threshold": 2.0, "max_detections": output.size}
    found = decode(output, boxes.model_copy(update=keep_all), size)
    for box, _, index in found:
        overlaps = intersection_over_union(box, found.boxes[found.classes == index])
        # Empty boxes have no overlap, NaN.
        if (np.abs(overlaps - boxes.iou_threshold) < 1e-5).any():
            return False
    return True


def _metadata(size: Sequence[int], classes: int, detection: Json, dtype: str) -> Json:
    described = metadata_of("shapes-detection", size=size)
    anchors = sum(
        math.prod(level["grid"]) * len(level["sizes"]) * len(level["aspect_ratios"])
        for level in detection["levels"]
    )
    described["output"] |= {"shape": [1, anchors, classes + 4], "dtype": dtype}
    if dtype != "float32":
        described["output"]["quantization"] = {"scale": SCALE, "zero_point": ZERO_POINT}
    labels = [f"class {index}" for index in range(classes)]
    return described | {"detection": detection, "labels": labels, "palette": None}


def _case(
    folder: Folder, name: str, described: Json, output: np.ndarray, image_size: Sequence[int]
) -> Json:
    return {
        "name": name,
        "metadata": described,
        "type": described["output"]["dtype"],
        "output": folder.array(f"{name}.boxes", output),
        "height": image_size[0],
        "width": image_size[1],
    }


def detection_limits() -> Json:
    """Return a description of boxes, and changes to it that the JSON Schema allows or refuses."""
    definitions = json.loads(json_schema())["$defs"]
    changes = [
        {"path": [*around, member], "value": value, "is_allowed": is_allowed}
        for name, around in (("DetectionOutput", []), ("AnchorLevel", ["levels", 0]))
        for member, schema in definitions[name]["properties"].items()
        for value, is_allowed in _values(schema)
    ]
    one = json.loads(detection_of((16, 16)).model_dump_json())
    return {"detection": one, "changes": changes}


def _values(schema: Json) -> list[tuple[Any, bool]]:
    """Return values of a member, and whether the schema allows them."""
    if schema["type"] != "array":
        return _numbers(schema)
    item = schema["prefixItems"][0] if "prefixItems" in schema else schema["items"]
    if "$ref" in item:  # levels
        return [([], False)]
    least, most = schema["minItems"], schema["maxItems"]
    lengths = [([1] * length, least <= length <= most) for length in (least - 1, most, most + 1)]
    # 1 is allowed in all arrays.
    return [*lengths, *(([one, *[1] * (least - 1)], good) for one, good in _numbers(item))]


def _numbers(schema: Json) -> list[tuple[float, bool]]:
    """Return numbers at the limits of a schema and beyond them."""
    is_integer = schema["type"] == "integer"
    step = 1 if is_integer else 1e-6
    most, below = schema["maximum"], schema.get("exclusiveMinimum")
    least = schema["minimum"] if below is None else below + step
    values = [(least, True), (least - step, False), (most, True), (most + step, False)]
    return [*values, (1.5, False)] if is_integer else values
