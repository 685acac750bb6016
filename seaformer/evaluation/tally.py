"""What is counted on an image, and how it adds up for a model.

An evaluation can go on from a file of counts.
"""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from seaformer.datasets import IGNORED
from seaformer.evaluation.metrics import ConfusionMatrix

WORST = 8
"""How many of the worst images are remembered for each model."""

_NOTHING = -1
"""The class of no pixel, for matrices in which every pixel counts."""

Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
Entry = tuple[Count, Count, Count]


class Counts(BaseModel, frozen=True):
    """What is counted on one image for one model. In classification it is one pixel.

    Attributes:
        confusion: the truth against the model, the entries of a `ConfusionMatrix`.
        agreement: the reference model against this one, likewise; None without a reference.
        guesses: in classification the classes found, best first.
    """

    confusion: tuple[Entry, ...]
    agreement: tuple[Entry, ...] | None = None
    guesses: tuple[Count, ...] | None = None


class ImageScore(NamedTuple):
    """How well a model did on one image.

    The score is the share of the pixels that are right; for a model that is compared, that are as
    in the reference. In classification it is 1 or 0.
    """

    score: float
    name: str


class Tally:
    """What one model did so far: the truth against it, and the `worst` images, worst first.

    `agreement` is the reference model against this one, all pixels; None without a reference.
    """

    def __init__(self, classes: int, is_compared: bool) -> None:
        self.confusion = ConfusionMatrix(classes, _NOTHING)
        self.agreement = ConfusionMatrix(classes, _NOTHING) if is_compared else None
        self.worst: list[ImageScore] = []
        self._guessed = 0

    @property
    def top5(self) -> float:
        """Share of the images with the right class among the guesses; NaN without images."""
        images = int(self.confusion.counts.sum())
        return self._guessed / images if images else math.nan

    def takes(self, counts: Counts) -> bool:
        """Whether counts that come out of a file are of such a model, and of as many classes."""
        entries = (*counts.confusion, *(counts.agreement or ()))
        classes = len(self.confusion.counts)
        return (
            all(max(row, column) < classes for row, column, _ in entries)
            and (counts.agreement is None) == (self.agreement is None)
            and (counts.guesses is None or len(counts.confusion) == 1)
        )

    def add(self, name: str, counts: Counts) -> None:
        """Add the counts of the image called `name`."""
        judged = counts.confusion
        self.confusion.add(judged)
        if counts.guesses is not None:
            ((truth, _, _),) = judged
            self._guessed += truth in counts.guesses
        if self.agreement is not None and counts.agreement is not None:
            judged = counts.agreement
            self.agreement.add(judged)
        pixels = sum(count for _, _, count in judged)
        if pixels:
            right = sum(count for row, column, count in judged if row == column)
            self.worst = sorted([*self.worst, ImageScore(right / pixels, name)])[:WORST]


def count_masks(
    truth: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[np.integer]], classes: int
) -> list[Counts]:
    """Count an image for each model, of which the first is the reference of the others.

    `truth` is uint8 [H, W], class indices and `IGNORED`; masks [H, W] are what each model found.

    Raises:
        SeaformerError: there is no such class.
    """
    return [
        Counts(
            confusion=_entries(truth, mask, classes),
            agreement=_entries(masks[0], mask, classes) if place else None,
        )
        for place, mask in enumerate(masks)
    ]


def count_guesses(truth: int, guesses: Sequence[list[int]]) -> list[Counts]:
    """Count an image of class `truth` for each classifier by its guesses, best first.

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
