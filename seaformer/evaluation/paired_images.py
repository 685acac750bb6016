"""Paired comparison of the models of a finished evaluation with their reference."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.evaluation.paired_scores import PairedScores, compare_scores, miou, top1
from seaformer.evaluation.progress import ImageLine, read_images
from seaformer.evaluation.tally import Counts
from seaformer.tasks import Task


def compare_images(progress: Path, task: Task) -> list[PairedScores]:
    """Compare every model after the first with the first, on the images that are not broken.

    Args:
        progress: progress file of a finished evaluation of several models.
        task: task of the data set.

    Raises:
        SeaformerError: the file is damaged.
    """
    last: dict[str, ImageLine] = {line.name: line for line in read_images(progress)}
    lines = [line.models for line in last.values() if line.broken is None]
    count, measure = (_pixels, miou) if task.is_segmentation else (_images, top1)
    counts = np.array([[count(one, task.num_classes) for one in models] for models in lines])
    return [compare_scores(counts[:, [0, place]], measure) for place in range(1, counts.shape[1])]


def _pixels(model: Counts, classes: int) -> npt.NDArray[np.int64]:
    """Count pixels per class, [3, classes]: correct, in the ground truth, in the prediction."""
    matrix = ConfusionMatrix(classes)
    matrix.add(model.confusion)
    counts = matrix.counts
    return np.stack([counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)])


def _images(model: Counts, classes: int) -> npt.NDArray[np.int64]:  # noqa: ARG001
    """Count one image, [3, 1], as `_pixels` does; counts per class would take gigabytes."""
    ((expected, found, _),) = model.confusion
    return np.array([[expected == found], [1], [1]], np.int64)
