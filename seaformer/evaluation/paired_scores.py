"""The scores of two models on the same images, with an interval of their difference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.statistics.bootstrap import interval_over_images

SEED = 0

Counts = npt.NDArray[np.int64]
"""[3, classes]: pixels that are correct, in the ground truth, in the prediction."""


@dataclass(frozen=True)
class PairedScores:
    """Scores of a model and its reference, in percent.

    `interval_points` is the 95 % bootstrap interval of `difference_points`: images are resampled
    with replacement, the same ones for both models.
    """

    reference_percent: float
    percent: float
    interval_points: tuple[float, float]

    @property
    def difference_points(self) -> float:
        """Score of the model minus score of the reference."""
        return self.percent - self.reference_percent


def compare_scores(
    counts: npt.NDArray[np.int64], measure: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
) -> PairedScores:
    """Score two models on the same images.

    Args:
        counts: [images, 2, 3, classes], `Counts` of the reference and of the model.
        measure: computes the score, 0..1, of counts [..., 3, classes].
    """
    reference, score = 100 * measure(counts.sum(axis=0))

    def difference(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        resampled = 100 * measure(sums)
        return resampled[:, 1] - resampled[:, 0]

    interval = interval_over_images(counts, difference, SEED)
    return PairedScores(float(reference), float(score), (interval.low, interval.high))


def miou(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The mIoU as `seaformer.evaluation.metrics` defines it, 0..1, of counts [..., 3, classes]."""
    hits, true, predicted = np.moveaxis(counts, -2, 0)
    union = true + predicted - hits
    iou = np.divide(hits, union, out=np.zeros(union.shape), where=union > 0)
    return np.asarray(iou.sum(axis=-1) / (union > 0).sum(axis=-1))


def top1(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The share of correctly classified images, 0..1, of counts [..., 3, classes]."""
    hits, true, _ = np.moveaxis(counts, -2, 0)
    return np.asarray(hits.sum(axis=-1) / true.sum(axis=-1))
