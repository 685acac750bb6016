"""Accuracy measures, from counts that grow image by image.

The definitions are those of mmsegmentation's `IoUMetric` (mmseg 1.2.2), which the published numbers
were computed with. Summed over all images, and not averaged over them: a class's IoU is
intersection / (pixels of the class in the truth + in the prediction - intersection), its accuracy
is intersection / pixels of the class in the truth. A class that would divide by zero has none (NaN)
and is left out of the mean: for the IoU a class that is in neither truth nor prediction, for the
accuracy one that is not in the truth. One difference: mmseg counts in float32, here every count is
exact.

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
"""How many classes count as the guesses of a classifier at most: "top-5"."""


@dataclass(frozen=True)
class SegmentationScores:
    """What a confusion matrix says of a model; shares, 0..1, NaN where there is nothing to count.

    Attributes:
        miou: mean of `iou` over the classes that have one.
        mean_accuracy: mean of `accuracy` over the classes that have one.
        pixel_accuracy: pixels whose class is right over all that count.
        iou: intersection over union of each class.
        accuracy: share of each class's pixels in the truth that is found.
        pixels: number of pixels of each class in the truth.
    """

    miou: float
    mean_accuracy: float
    pixel_accuracy: float
    iou: tuple[float, ...]
    accuracy: tuple[float, ...]
    pixels: tuple[int, ...]


class ConfusionMatrix:
    """How often each class was taken for each.

    `counts` is int64 [classes, classes]; the row is the true class, the column the predicted one.
    """

    counts: npt.NDArray[np.int64]

    def __init__(self, classes: int, ignore_index: int = 255) -> None:
        """Start with nothing counted, for 1 class or more.

        `ignore_index`, which is not a class, stands in the truth for pixels that do not count.

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
        """Count pixels, class indices of any one shape; in `truth` also `ignore_index`.

        Raises:
            UsageError: the shapes differ.
            SeaformerError: a value is no class; nothing is counted then.
        """
        if truth.shape != predicted.shape:
            raise UsageError(
                f"the truth is {list(truth.shape)} and the prediction {list(predicted.shape)}. "
                "Allowed: the same shape."
            )
        classes = len(self.counts)
        counted = truth != self._ignore_index
        pair = []
        for name, values in (("truth", truth[counted]), ("prediction", predicted[counted])):
            if values.size and not 0 <= values.min() <= values.max() < classes:
                wrong = values[(values < 0) | (values >= classes)][0]
                raise SeaformerError(
                    f"there is class {wrong} in the {name}. Allowed: 0..{classes - 1}."
                )
            pair.append(values.astype(np.int64))
        codes = pair[0] * classes + pair[1]
        self.counts += np.bincount(codes, minlength=classes**2).reshape(classes, classes)

    def entries(self) -> list[list[int]]:
        """Return what is not zero, as [true class, predicted class, count]."""
        rows, columns = np.nonzero(self.counts)
        return np.stack([rows, columns, self.counts[rows, columns]], axis=1).tolist()

    def add(self, entries: Iterable[Sequence[int]]) -> None:
        """Count what `entries` of another matrix of as many classes returned."""
        for row, column, count in entries:
            self.counts[row, column] += count

    def scores(self) -> SegmentationScores:
        """Compute the measures of what was counted so far."""
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
    """Return the classes of the largest of logits [classes] without NaN, largest first.

    Of equal ones the lowest comes first. There are `count` of them, or all if there are fewer.
    """
    order: list[int] = np.argsort(-logits, kind="stable")[:count].tolist()
    return order


def _ratios(part: npt.NDArray[np.integer], whole: npt.NDArray[np.integer]) -> tuple[float, ...]:
    """Divide integers, which is rounded once; NaN where `whole` is zero."""
    return tuple(
        above / below if below else float("nan")
        for above, below in zip(part.tolist(), whole.tolist(), strict=True)
    )


def _mean(values: tuple[float, ...]) -> float:
    present = [value for value in values if value == value]
    return math.fsum(present) / len(present) if present else float("nan")


def sqnr_db(reference: npt.NDArray[Any], output: npt.NDArray[Any]) -> float:
    """Signal to quantisation noise ratio, 10 log10(sum r^2 / sum (r - o)^2), in dB.

    At most 300, which stands for no difference at all.
    """
    return energies_sqnr_db(
        float(np.square(reference).sum()), float(np.square(reference - output).sum())
    )


def energies_sqnr_db(signal: float, noise: float) -> float:
    """Compute `sqnr_db` from sum r^2 and sum (r - o)^2, as they grow image by image."""
    if not np.isfinite(noise):
        return -300.0
    if noise == 0.0:
        return 300.0
    return float(np.clip(10.0 * np.log10(max(signal, 1e-300) / noise), -300.0, 300.0))
