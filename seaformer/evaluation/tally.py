"""The counts of each image, and their sums for each model.

The counts are serializable, so that an evaluation can resume from a file of them.
"""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from seaformer.datasets import IGNORED
from seaformer.detection.detections import Detections
from seaformer.evaluation.metrics import ConfusionMatrix

WORST = 8
"""Number of worst images that are listed for each model."""

_NO_CLASS = -1
"""Ignore index that no pixel has, for matrices in which every pixel counts."""

Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
Entry = tuple[Count, Count, Count]

Pixels = Annotated[float, Field(strict=True, ge=-(2**31), le=2**31)]
Detection = tuple[Pixels, Pixels, Pixels, Pixels, Annotated[float, Field(ge=0, le=1)], Count]
"""Left, top, right and bottom of a box, its score and its class."""


class Counts(BaseModel, frozen=True):
    """What one model found in one image, which counts as one pixel in classification.

    Attributes:
        confusion: entries of the `ConfusionMatrix` of the ground truth and the model; empty in
            detection.
        agreement: the same for the reference and the model; None without a reference.
        guesses: in classification, the predicted classes, best first.
        detections: in detection, the detections, best first.
    """

    confusion: tuple[Entry, ...] = ()
    agreement: tuple[Entry, ...] | None = None
    guesses: tuple[Count, ...] | None = None
    detections: tuple[Detection, ...] | None = None


class ImageScore(NamedTuple):
    """The score of a model on one image.

    It is the share of correct pixels, or for a compared model, of pixels with the same class as in
    the reference. In classification it is 1 or 0.
    """

    score: float
    name: str


class Tally:
    """The sums of one model so far: its `confusion` matrix, and its `worst` images, worst first.

    `agreement` is the matrix of the reference and this model over all pixels; None without a
    reference.
    """

    def __init__(self, classes: int, is_compared: bool) -> None:
        self.confusion = ConfusionMatrix(classes, _NO_CLASS)
        self.agreement = ConfusionMatrix(classes, _NO_CLASS) if is_compared else None
        self.worst: list[ImageScore] = []
        self._guessed = 0

    @property
    def top5(self) -> float:
        """Share of images whose true class is among the guesses; NaN without images."""
        images = int(self.confusion.counts.sum())
        return self._guessed / images if images else math.nan

    def takes(self, counts: Counts) -> bool:
        """Whether counts that were read from a file fit this model and its number of classes."""
        entries = (*counts.confusion, *(counts.agreement or ()))
        classes = len(self.confusion.counts)
        return (
            all(max(row, column) < classes for row, column, _ in entries)
            and (counts.agreement is None) == (self.agreement is None)
            and (counts.guesses is None or len(counts.confusion) == 1)
        )

    def add(self, name: str, counts: Counts) -> None:
        """Add the counts of the image called `name`."""
        scored = counts.confusion
        self.confusion.add(scored)
        if counts.guesses is not None:
            ((truth, _, _),) = scored
            self._guessed += truth in counts.guesses
        if self.agreement is not None and counts.agreement is not None:
            scored = counts.agreement
            self.agreement.add(scored)
        pixels = sum(count for _, _, count in scored)
        if pixels:
            right = sum(count for row, column, count in scored if row == column)
            self.worst = sorted([*self.worst, ImageScore(right / pixels, name)])[:WORST]


class DetectionTally:
    """The detections of one model so far: `found`, by the name of the image."""

    def __init__(self, classes: int) -> None:
        self.found: dict[str, Detections] = {}
        self._classes = classes

    def takes(self, counts: Counts) -> bool:
        """Whether counts that were read from a file fit this model and its number of classes."""
        return counts.detections is not None and all(
            detection[-1] < self._classes for detection in counts.detections
        )

    def add(self, name: str, counts: Counts) -> None:
        """Add the detections in the image called `name`."""
        rows = counts.detections or ()
        self.found[name] = Detections(
            np.array([row[:4] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[4] for row in rows], np.float32),
            np.array([row[5] for row in rows], np.int64),
        )


def record_detections(found: Sequence[Detections]) -> list[Counts]:
    """Record the detections of each model in one image."""
    return [
        Counts(
            detections=tuple((*map(float, box), score, index) for box, score, index in detections)  # type: ignore[misc]
        )
        for detections in found
    ]


def count_masks(
    truth: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[np.integer]], classes: int
) -> list[Counts]:
    """Count one image for each model; the first model is the reference of the others.

    `truth` is uint8 [H, W], class indices and `IGNORED`; each mask [H, W] is a model's prediction.

    Raises:
        SeaformerError: a mask has a class out of range.
    """
    return [
        Counts(
            confusion=_entries(truth, mask, classes),
            agreement=_entries(masks[0], mask, classes) if place else None,
        )
        for place, mask in enumerate(masks)
    ]


def count_guesses(truth: int, guesses: Sequence[list[int]]) -> list[Counts]:
    """Count one image of class `truth` for each classifier; its guesses are best first.

    The first classifier is the reference of the others.
    """
    return [
        Counts(
            confusion=((truth, found[0], 1),),
            agreement=((guesses[0][0], found[0], 1),) if place else None,
            guesses=tuple(found),
        )
        for place, found in enumerate(guesses)
    ]


def _entries(
    rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], classes: int
) -> tuple[Entry, ...]:
    matrix = ConfusionMatrix(classes, IGNORED)
    matrix.update(rows, columns)
    return tuple((row, column, count) for row, column, count in matrix.entries())
