"""What is counted on a picture, and how it adds up for a model.

Counts are objects that JSON can hold, so that an evaluation can go on from a file of them:
`confusion` and, against a reference model, `agreement` are the entries of a `ConfusionMatrix`. In
classification a picture is one pixel, and `guesses` are the classes found, best first.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seaformer.datasets import IGNORED
from seaformer.evaluation.metrics import ConfusionMatrix

WORST = 8
"""How many of the worst pictures are remembered for each model."""

_NOTHING = -1
"""The class of no pixel, for matrices in which every pixel counts."""

Counts = dict[str, Any]


class PictureScore(NamedTuple):
    """How well a model did on one picture.

    The score is the share of the pixels that are right; for a model that is compared, that are as
    in the reference. In classification it is 1 or 0.
    """

    score: float
    name: str


class Tally:
    """What one model did so far: the truth against it, and the `worst` pictures, worst first.

    `agreement` is the reference model against this one, all pixels; None without a reference.
    """

    def __init__(self, classes: int, is_compared: bool) -> None:
        self.confusion = ConfusionMatrix(classes, _NOTHING)
        self.agreement = ConfusionMatrix(classes, _NOTHING) if is_compared else None
        self.worst: list[PictureScore] = []
        self._guessed = 0

    @property
    def top5(self) -> float:
        """Share of the pictures with the right class among the guesses; NaN without pictures."""
        pictures = int(self.confusion.counts.sum())
        return self._guessed / pictures if pictures else math.nan

    def add(self, name: str, counts: Counts) -> None:
        """Add the counts of the picture called `name`."""
        judged = counts["confusion"]
        self.confusion.add(judged)
        if "guesses" in counts:
            ((truth, _, _),) = judged
            self._guessed += truth in counts["guesses"]
        if self.agreement is not None:
            judged = counts["agreement"]
            self.agreement.add(judged)
        pixels = sum(count for _, _, count in judged)
        if pixels:
            right = sum(count for row, column, count in judged if row == column)
            self.worst = sorted([*self.worst, PictureScore(right / pixels, name)])[:WORST]


def count_masks(
    truth: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[np.integer]], classes: int
) -> list[Counts]:
    """Count a picture for each model, of which the first is the reference of the others.

    `truth` is uint8 [H, W], class indices and `IGNORED`; masks [H, W] are what each model found.

    Raises:
        SeaformerError: there is no such class.
    """
    counts: list[Counts] = [{"confusion": _entries(truth, mask, classes)} for mask in masks]
    for mask, compared in zip(masks[1:], counts[1:], strict=True):
        compared["agreement"] = _entries(masks[0], mask, classes)
    return counts


def count_guesses(truth: int, guesses: Sequence[list[int]]) -> list[Counts]:
    """Count a picture of class `truth` for each classifier by its guesses, best first.

    The first classifier is the reference of the others.
    """
    counts: list[Counts] = [
        {"confusion": [[truth, found[0], 1]], "guesses": found} for found in guesses
    ]
    for found, compared in zip(guesses[1:], counts[1:], strict=True):
        compared["agreement"] = [[guesses[0][0], found[0], 1]]
    return counts


def _entries(
    rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], classes: int
) -> list[list[int]]:
    matrix = ConfusionMatrix(classes, IGNORED)
    matrix.update(rows, columns)
    return matrix.entries()
