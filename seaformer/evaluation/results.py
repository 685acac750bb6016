"""The results of an evaluation as a JSON object, which the report is drawn from too.

Every measure is a share, 0..1, and null where there was nothing to count.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from seaformer.datasets import Dataset
from seaformer.datasets.masks import OFFSETS
from seaformer.evaluation.engine import BrokenImage, Evaluation
from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.evaluation.models import Candidate
from seaformer.evaluation.paired_scores import PairedScores
from seaformer.evaluation.tally import Tally
from seaformer.tasks import Task

DEFINITION = (
    "mmsegmentation's IoUMetric: pixels summed over all images; classes with nothing to count "
    "are left out of the means."
)

LISTED = 12
"""How many of the most frequent confusions are listed."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _without_nan(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


Share = Annotated[float | None, BeforeValidator(_without_nan)]
"""JSON has no NaN."""


class Scores(_Model):
    """The measures of a model; those of the other kind of task are null."""

    miou: Share = None
    mean_accuracy: Share = None
    pixel_accuracy: Share = None
    top1: Share = None
    top5: Share = None


class ClassResult(_Model):
    """One class.

    Attributes:
        pixels: pixels of it in the truth; in classification images.
        iou: intersection over union; null in classification.
        accuracy: share of `pixels` that is found.
        change: of the IoU against the reference, in classification of the accuracy; null without a
            reference.
        agreement: share of the pixels that are of this class to the reference and to the model too;
            null without a reference.
    """

    index: int
    name: str
    pixels: int
    iou: Share
    accuracy: Share
    change: Share = None
    agreement: Share = None


class Confusion(_Model):
    """One class, in the truth or to the reference, that the model took for another.

    `pixels` is how many, images in classification; `share` is their part of all of the expected
    class.
    """

    expected: str
    found: str
    pixels: int
    share: float


class Image(_Model):
    """One of the worst images; `score` is explained at `seaformer.evaluation.tally`."""

    name: str
    score: float


class Difference(_Model):
    """By how much a model is better than the reference, on the same images.

    Attributes:
        points: of the mIoU, in classification of the top-1 accuracy, in percent.
        low: lower end of the 95 % interval over images.
        high: upper end of it.
    """

    points: Share
    low: Share
    high: Share


class ModelResult(_Model):
    """One model.

    Attributes:
        file: path as it was given.
        name: of the file, with the device that it ran on if that is not the host.
        sha256: of the file.
        title: the model in words.
        runtime: what ran it.
        protocol: "official" or "deployed", see `seaformer.evaluation.protocols`.
        input: how images entered it.
        is_random: whether its weights were never trained, so that the scores mean nothing.
        note: what else a user should know; may be empty.
        agreement: share of all pixels, or images, with the class that the reference gives; null
            without a reference.
        difference: to the reference; null without one.
        classes: all of them, in the order of their indices.
        mistakes: the most frequent confusions of it with the truth.
        differences: the most frequent confusions of it with the reference; empty without one.
        worst: the images it did worst on; compared with a reference, agrees least on.
    """

    file: str
    name: str
    sha256: str
    title: str
    runtime: str
    protocol: str
    input: str
    is_random: bool
    note: str
    scores: Scores
    agreement: Share
    difference: Difference | None = None
    classes: tuple[ClassResult, ...]
    mistakes: tuple[Confusion, ...]
    differences: tuple[Confusion, ...]
    worst: tuple[Image, ...]


class Results(_Model):
    """The whole object.

    Attributes:
        complete: whether the evaluation is at its end. It is not while there are broken images
            that nobody allowed to leave out: the same command goes on from there.
        data: folder of the data set as it was given.
        pictures: how many the scores are of, of those `available` in the data set.
        broken: images that the scores leave out.
        models: the first is the reference if there are several.
    """

    schema_version: Literal[1] = 1
    complete: bool
    kind: Literal["segmentation", "classification"]
    task: str
    definition: str
    data: str
    layout: str
    split: str
    pictures: int
    available: int
    broken: tuple[BrokenImage, ...]
    models: tuple[ModelResult, ...]
    versions: dict[str, str]

    def text(self) -> str:
        """Write the object as JSON."""
        return self.model_dump_json(indent=1) + "\n"


def judged(result: ClassResult) -> float | None:
    """Return the score of a class: its IoU, or in classification its accuracy."""
    return result.accuracy if result.iou is None else result.iou


def collect(
    evaluation: Evaluation,
    dataset: Dataset,
    models: Sequence[Candidate],
    *,
    available: int,
    skip_broken: bool,
) -> Results:
    """Compute the results of an evaluation that was run to its end.

    `available` is how many images the data set has, of which `dataset` may be a part;
    `skip_broken` says whether broken ones may be left out.
    """
    tallies = evaluation.tallies
    differences = [None, *map(_difference, evaluation.compare())]
    packages = {model.runtime.package for model in models}
    return Results(
        complete=skip_broken or not evaluation.broken,
        kind="segmentation" if dataset.task.is_segmentation else "classification",
        task=dataset.task.name,
        definition=DEFINITION,
        data=str(dataset.folder),
        layout=dataset.layout,
        split=dataset.split,
        pictures=evaluation.done,
        available=available,
        broken=tuple(evaluation.broken),
        models=tuple(
            _model_result(model, tally, tallies[0], difference, dataset)
            for model, tally, difference in zip(models, tallies, differences, strict=True)
        ),
        versions={
            name: version(name) for name in ("seaformer", "numpy", "pillow", *sorted(packages))
        },
    )


def _difference(paired: PairedScores) -> Difference:
    low, high = paired.interval_points
    return Difference(points=paired.difference_points, low=low, high=high)


def _model_result(
    model: Candidate,
    tally: Tally,
    reference: Tally,
    difference: Difference | None,
    dataset: Dataset,
) -> ModelResult:
    agreement = None if tally.agreement is None else tally.agreement.scores().pixel_accuracy
    hint = numbering_hint(tally.confusion, dataset.task)
    return ModelResult(
        file=str(model.path),
        name=model.name,
        sha256=model.sha256,
        title=model.interface.title,
        runtime=model.accelerated_by or model.runtime.title,
        protocol=model.protocol.name,
        input=model.protocol.description,
        is_random=model.interface.is_random,
        note=" ".join(filter(None, (model.note, model.session.session.remark, hint))),
        scores=_scores(tally, dataset.task.is_segmentation),
        agreement=agreement,
        difference=difference,
        classes=_class_results(tally, reference, dataset),
        mistakes=_confusions(tally.confusion, dataset.task.labels),
        differences=()
        if tally.agreement is None
        else _confusions(tally.agreement, dataset.task.labels),
        worst=tuple(Image(name=worst.name, score=worst.score) for worst in tally.worst),
    )


def numbering_hint(matrix: ConfusionMatrix, task: Task) -> str:
    """Say that the masks number the classes otherwise, if a model is right by that; else ""."""
    if not task.is_segmentation:
        return ""
    counts = matrix.counts
    right = int(counts.trace())
    for offset in OFFSETS:
        shifted = int(counts.trace(task.label_offset - offset))
        if offset != task.label_offset and shifted > max(right, counts.sum() // 2):
            return (
                f"{shifted / counts.sum():.0%} of the pixels are right by another numbering of the "
                f"classes, {right / counts.sum():.0%} by this one: the masks fit offset {offset}, "
                f'and the task has {task.label_offset}. Set "label_offset": {offset} in the task '
                "of labels.json."
            )
    return ""


def _scores(tally: Tally, is_segmentation: bool) -> Scores:
    scores = tally.confusion.scores()
    if not is_segmentation:
        return Scores(top1=scores.pixel_accuracy, top5=tally.top5)
    return Scores.model_validate(scores, from_attributes=True)


def _class_results(tally: Tally, reference: Tally, dataset: Dataset) -> tuple[ClassResult, ...]:
    scores = tally.confusion.scores()
    is_segmentation = dataset.task.is_segmentation
    judged = scores.iou if is_segmentation else scores.accuracy
    changes: Sequence[float | None] = [None] * dataset.task.num_classes
    agreed: Sequence[float | None] = changes
    if tally.agreement is not None:
        before = reference.confusion.scores()
        judged_before = before.iou if is_segmentation else before.accuracy
        changes = [now - then for now, then in zip(judged, judged_before, strict=True)]
        agreed = tally.agreement.scores().accuracy
    return tuple(
        ClassResult(
            index=index,
            name=name,
            pixels=scores.pixels[index],
            iou=scores.iou[index] if is_segmentation else None,
            accuracy=scores.accuracy[index],
            change=changes[index],
            agreement=agreed[index],
        )
        for index, name in enumerate(dataset.task.labels)
    )


def _confusions(matrix: ConfusionMatrix, labels: Sequence[str]) -> tuple[Confusion, ...]:
    wrong = [entry for entry in matrix.entries() if entry[0] != entry[1]]
    expected = matrix.counts.sum(axis=1)
    return tuple(
        Confusion(
            expected=labels[row],
            found=labels[column],
            pixels=count,
            share=count / int(expected[row]),
        )
        for row, column, count in sorted(wrong, key=lambda entry: -entry[2])[:LISTED]
    )
