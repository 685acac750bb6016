"""Decoding the raw output of a detection network, as torchvision's RetinaNet does."""

import math

import numpy as np
import numpy.typing as npt

from seaformer.artifact.detection_output import DetectionOutput
from seaformer.detection.anchors import anchors_at
from seaformer.detection.detections import Detections
from seaformer.detection.suppression import suppress
from seaformer.errors import SeaformerError

_Floats = npt.NDArray[np.float32]


def decode(
    output: npt.NDArray[np.floating],
    described: DetectionOutput,
    input_size: tuple[int, int],
    image_size: tuple[int, int] | None = None,
) -> Detections:
    """Decode an output, suppress duplicates, and scale the boxes to the image.

    Args:
        output: [1, anchors, classes + 4], finite: logits, then box offsets.
        described: the anchors, how boxes are coded, and limits.
        input_size: height and width of the network input, in pixels.
        image_size: height and width of the image that was resized to the input, possibly with a
            different aspect ratio; None for boxes in pixels of the input.

    Raises:
        SeaformerError: the output does not fit `described`.
    """
    if output.ndim != 3 or output.shape[:2] != (1, described.anchors) or output.shape[2] < 5:
        raise SeaformerError(
            f"the model returns an output of shape {list(output.shape)}. Allowed: "
            f"[1, {described.anchors}, classes + 4], logits and box offsets of every anchor. Is it "
            "a model for another task?"
        )
    ends = np.cumsum([level.count for level in described.levels])
    parts = np.split(output[0].astype(np.float32, copy=False), ends[:-1])
    boxes, logits, classes = (
        np.concatenate(found)
        for found in zip(
            *(
                _candidates(values, place, described, input_size)
                for place, values in enumerate(parts)
            ),
            strict=True,
        )
    )
    kept = suppress(boxes, logits, classes, described.iou_threshold, described.max_detections)
    scale = np.ones(2, np.float32)
    if image_size is not None:
        scale = np.asarray(image_size, np.float32)[::-1] / np.asarray(input_size, np.float32)[::-1]
    return Detections(boxes[kept] * np.tile(scale, 2), _sigmoid(logits[kept]), classes[kept])


def _candidates(
    values: _Floats, place: int, described: DetectionOutput, input_size: tuple[int, int]
) -> tuple[_Floats, _Floats, npt.NDArray[np.int64]]:
    """Return boxes, logits and classes of the candidates of a level, best first.

    `values` is [anchors of the level, classes + 4]; `place` is the index of the level.
    """
    logits = values[:, :-4]
    anchors, classes = np.nonzero(logits > _logit(described.score_threshold))
    found = logits[anchors, classes]
    best = np.argsort(-found, kind="stable")[: described.candidates_per_level]
    anchors, classes = anchors[best], classes[best]
    boxes = decoded(values[anchors, -4:], anchors_at(described.levels[place], anchors), described)
    height, width = input_size
    limits = np.asarray([width, height, width, height], np.float32)
    return boxes.clip(0, limits), found[best], classes.astype(np.int64)


def decoded(offsets: _Floats, anchors: _Floats, described: DetectionOutput) -> _Floats:
    """Return the boxes [N, 4] (x0, y0, x1, y1) for offsets [N, 4] relative to anchors [N, 4]."""
    sizes = anchors[:, 2:] - anchors[:, :2]
    centers = anchors[:, :2] + np.float32(0.5) * sizes
    shares = offsets / np.asarray(described.box_weights, np.float32)
    centers = shares[:, :2] * sizes + centers
    half = np.exp(shares[:, 2:].clip(max=np.float32(described.max_log_scale))) * sizes / 2
    return np.concatenate([centers - half, centers + half], axis=1)


def _logit(score: float) -> float:
    """Return the logit whose sigmoid is `score`, 0..1."""
    return math.inf if score == 1 else -math.inf if score == 0 else math.log(score / (1 - score))


def _sigmoid(logits: _Floats) -> _Floats:
    with np.errstate(over="ignore"):  # for very negative logits, exp is infinite: 0
        return np.asarray(1 / (1 + np.exp(-logits)))
