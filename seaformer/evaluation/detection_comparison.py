"""Average precision of the models of a finished evaluation, with intervals over the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seaformer.datasets import Boxes
from seaformer.detection import SHOWN_SCORE
from seaformer.detection.detections import Detections
from seaformer.evaluation.average_precision import MEASURES, DetectionScores, Floats
from seaformer.evaluation.paired_scores import SEED
from seaformer.evaluation.tally import WORST, ImageScore
from seaformer.statistics.bootstrap import draw_images, interval_of_resampled

Ends = tuple[float, float]


@dataclass(frozen=True)
class DetectionResult:
    """The scores of one model.

    Attributes:
        scores: measure of `MEASURES` -> value, 0..1; NaN if no object of the measure's size occurs.
        intervals: measure -> its 95 % interval over images, 0..1; NaN if it is undefined in some
            resample.
        changes: measure -> difference from the reference on the same images, in points, and the
            ends of its interval; empty for the reference.
        classes: AP of each class, 0..1; NaN if the class does not occur.
        class_changes: difference of each of these from the reference; None for the reference.
        objects: number of annotated objects of each class.
        worst: images with the lowest F1 score, worst first. Only detections with a score of at
            least `SHOWN_SCORE` are counted.
    """

    scores: Mapping[str, float]
    intervals: Mapping[str, Ends]
    changes: Mapping[str, tuple[float, float, float]]
    classes: tuple[float, ...]
    class_changes: tuple[float, ...] | None
    objects: tuple[int, ...]
    worst: tuple[ImageScore, ...]


def compare_detections(
    names: Sequence[str],
    truths: Sequence[Boxes],
    found: Sequence[Sequence[Detections]],
    classes: int,
) -> list[DetectionResult]:
    """Score models on the same images; if there are several, the first is the reference.

    Args:
        names: name of each image.
        truths: annotated boxes of each image.
        found: for each model, its detections in each image.
        classes: number of classes.
    """
    models = [DetectionScores(truths, one, classes) for one in found]
    reference = models[0]
    drawn = draw_images(len(truths), SEED)
    resampled = [model.resampled(drawn) for model in models]
    return [
        DetectionResult(
            scores=dict(zip(MEASURES, model.values.tolist(), strict=False)),
            intervals={name: _ends(of_model, place) for place, name in enumerate(MEASURES)},
            changes={}
            if model is reference
            else {
                name: (
                    100 * float(model.values[place] - reference.values[place]),
                    *_ends(100 * (of_model - resampled[0]), place),
                )
                for place, name in enumerate(MEASURES)
            },
            classes=tuple(model.values[len(MEASURES) :].tolist()),
            class_changes=None
            if model is reference
            else tuple((model.values - reference.values)[len(MEASURES) :].tolist()),
            objects=model.objects,
            worst=_worst(names, model),
        )
        for model, of_model in zip(models, resampled, strict=True)
    ]


def _ends(resampled: Floats, place: int) -> Ends:
    interval = interval_of_resampled(resampled[:, place])
    return interval.low, interval.high


def _worst(names: Sequence[str], model: DetectionScores) -> tuple[ImageScore, ...]:
    scores = model.image_scores(SHOWN_SCORE)
    order = np.argsort(scores, kind="stable")[:WORST]
    return tuple(ImageScore(float(scores[place]), names[place]) for place in order)
