"""Accuracy measures, computed from counts that are accumulated image by image.

The definitions follow mmsegmentation's `IoUMetric` (mmseg 1.2.2), with which the published numbers
were computed. Pixels are summed over all images, not averaged per image. The IoU of a class is
intersection / (pixels of the class in the ground truth + in the prediction - intersection), its
accuracy is intersection / pixels of the class in the ground truth. Where the divisor is zero, the
measure is NaN and excluded from the mean: the IoU of a class that occurs in neither ground truth
nor prediction, the accuracy of a class that does not occur in the ground truth. One difference:
mmseg counts in float32, while every count here is exact.

torchmetrics' `MulticlassJaccardIndex(average="macro")` gives the same mIoU.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError, UsageError

TOP = 5
"""Maximum number of classes that a classifier proposes for an image: "top-5"."""


@dataclass(frozen=True)
class SegmentationScores:
    """The measures of a model, 0..1; NaN where there is nothing to count.

    Attributes:
        miou: mean of `iou` over the classes where it is not NaN.
        mean_accuracy: mean of `accuracy` over the classes where it is not NaN.
        pixel_accuracy: correctly classified pixels over all counted pixels.
        iou: intersection over union of each class.
        accuracy: share of each class's ground-truth pixels that the model finds.
        pixels: number of pixels of each class in the ground truth.
    """

    miou: float
    mean_accuracy: float
    pixel_accuracy: float
    iou: tuple[float, ...]
    accuracy: tuple[float, ...]
    pixels: tuple[int, ...]


class ConfusionMatrix:
    """Pixel counts for each pair of a true and a predicted class.

    `counts` is int64 [classes, classes]; rows are true classes, columns predicted ones.
    """

    counts: npt.NDArray[np.int64]

    def __init__(self, classes: int, ignore_index: int = 255) -> None:
        """Create an empty matrix for one class or more.

        `ignore_index`, which is not a class, marks the ground-truth pixels that are not counted.

        Raises:
            UsageError: an argument is out of range.
        """
        if classes < 1:
            raise UsageError(f"a confusion matrix of {classes} classes. Allowed: 1 or more.")
        if 0 <= ignore_index < classes:
            raise UsageError(
                f"ignore_index is {ignore_index}, a class. Allowed: {classes} or more."
            )
        self.counts = np.zeros((classes, classes), dtype=np.int64)
        self._ignore_index = ignore_index

    def update(self, truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> None:
        """Count pixels: class indices, both arrays of one shape; `truth` may have `ignore_index`.

        Raises:
            UsageError: the shapes differ.
            SeaformerError: a value is not a class; nothing is counted then.
        """
        if truth.shape != predicted.shape:
            raise UsageError(
                f"the ground truth has shape {list(truth.shape)}, the prediction "
                f"{list(predicted.shape)}. Allowed: the same shape."
            )
        classes = len(self.counts)
        counted = truth != self._ignore_index
        pair = []
        for name, values in (("ground truth", truth[counted]), ("prediction", predicted[counted])):
            if values.size and not 0 <= values.min() <= values.max() < classes:
                wrong = values[(values < 0) | (values >= classes)][0]
                raise SeaformerError(
                    f"class {wrong} occurs in the {name}. Allowed: 0..{classes - 1}."
                )
            pair.append(values.astype(np.int64))
        codes = pair[0] * classes + pair[1]
        self.counts += np.bincount(codes, minlength=classes**2).reshape(classes, classes)

    def entries(self) -> list[list[int]]:
        """Return the nonzero entries as [true class, predicted class, count]."""
        rows, columns = np.nonzero(self.counts)
        return np.stack([rows, columns, self.counts[rows, columns]], axis=1).tolist()

    def add(self, entries: Iterable[Sequence[int]]) -> None:
        """Add the `entries` of another matrix with the same number of classes."""
        for row, column, count in entries:
            self.counts[row, column] += count

    def scores(self) -> SegmentationScores:
        """Compute the measures from the counts so far."""
        hits = np.diag(self.counts)
        in_truth, in_prediction = self.counts.sum(axis=1), self.counts.sum(axis=0)
        iou = _ratios(hits, in_truth + in_prediction - hits)
        accuracy = _ratios(hits, in_truth)
        return SegmentationScores(
            miou=_mean(iou),
            mean_accuracy=_mean(accuracy),
            pixel_accuracy=_ratios(hits.sum(keepdims=True), in_truth.sum(keepdims=True))[0],
            iou=iou,
            accuracy=accuracy,
            pixels=tuple(in_truth.tolist()),
        )


def top_classes(logits: npt.NDArray[np.floating], count: int = TOP) -> list[int]:
    """Return the `count` classes with the largest logits, largest first; all if there are fewer.

    `logits` is [classes], without NaN. Of equal logits the lowest class comes first.
    """
    order: list[int] = np.argsort(-logits, kind="stable")[:count].tolist()
    return order


def _ratios(part: npt.NDArray[np.integer], whole: npt.NDArray[np.integer]) -> tuple[float, ...]:
    """Divide integers with a single rounding; NaN where `whole` is zero."""
    return tuple(
        above / below if below else float("nan")
        for above, below in zip(part.tolist(), whole.tolist(), strict=True)
    )


def _mean(values: tuple[float, ...]) -> float:
    present = [value for value in values if value == value]
    return math.fsum(present) / len(present) if present else float("nan")


def sqnr_db(reference: npt.NDArray[Any], output: npt.NDArray[Any]) -> float:
    """Signal to quantization noise ratio, 10 log10(sum r^2 / sum (r - o)^2), in dB.

    At most 300, which means that there is no difference.
    """
    return energies_sqnr_db(
        float(np.square(reference).sum()), float(np.square(reference - output).sum())
    )


def energies_sqnr_db(signal: float, noise: float) -> float:
    """Compute `sqnr_db` from sum r^2 and sum (r - o)^2, accumulated image by image."""
    if not np.isfinite(noise):
        return -300.0
    if noise == 0.0:
        return 300.0
    return float(np.clip(10.0 * np.log10(max(signal, 1e-300) / noise), -300.0, 300.0))
