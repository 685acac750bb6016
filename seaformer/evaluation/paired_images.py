"""The models of an evaluation at its end, compared with its reference image by image."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.evaluation.paired_scores import PairedScores, compare_scores, miou, top1
from seaformer.evaluation.progress import ImageLine, read_images
from seaformer.evaluation.tally import Counts
from seaformer.tasks import Task


def compare_images(progress: Path, task: Task) -> list[PairedScores]:
    """Compare every model but the first with that, on the images that none of them is without.

    Args:
        progress: file of an evaluation at its end, of several models.
        task: of the data set.

    Raises:
        SeaformerError: the file is damaged.
    """
    last: dict[str, ImageLine] = {line.name: line for line in read_images(progress)}
    lines = [line.models for line in last.values() if line.broken is None]
    count, measure = (_pixels, miou) if task.is_segmentation else (_images, top1)
    counts = np.array([[count(one, task.num_classes) for one in models] for models in lines])
    return [compare_scores(counts[:, [0, place]], measure) for place in range(1, counts.shape[1])]


def _pixels(model: Counts, classes: int) -> npt.NDArray[np.int64]:
    """Pixels that are right, in the truth and in the prediction, [3, classes]."""
    matrix = ConfusionMatrix(classes)
    matrix.add(model.confusion)
    counts = matrix.counts
    return np.stack([counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)])


def _images(model: Counts, classes: int) -> npt.NDArray[np.int64]:  # noqa: ARG001
    """Likewise of an image that is right or not, [3, 1]: 1000 classes would take gigabytes."""
    ((expected, found, _),) = model.confusion
    return np.array([[expected == found], [1], [1]], np.int64)
