"""The results of an evaluation as a JSON object, from which the report is also rendered.

Every measure is a share, 0..1, or null where there was nothing to count.
"""

import math
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from seaformer.datasets import Boxes, Dataset
from seaformer.datasets.masks import OFFSETS
from seaformer.evaluation.detection_comparison import DetectionResult, compare_detections
from seaformer.evaluation.engine import BrokenImage, Evaluation
from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.evaluation.models import Candidate
from seaformer.evaluation.paired_scores import PairedScores
from seaformer.evaluation.tally import Tally
from seaformer.tasks import Task

DEFINITION = (
    "mmsegmentation's IoUMetric: pixels summed over all images; classes with nothing to count "
    "are excluded from the means."
)
DETECTION_DEFINITION = (
    "COCO's, by pycocotools: AP is the mean over the intersections over union of 0.50 to 0.95 and "
    "over the classes that occur; AP50 and AP75 are at 0.50 and 0.75; small objects are below "
    "32 x 32 pixels, large ones above 96 x 96; at most 100 detections per image."
)

LISTED = 12
"""Number of most frequent confusions that are listed."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _without_nan(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


Share = Annotated[float | None, BeforeValidator(_without_nan)]
"""JSON has no NaN."""


class Scores(_Model):
    """The scores of a model; null for scores of the other task types."""

    miou: Share = None
    mean_accuracy: Share = None
    pixel_accuracy: Share = None
    top1: Share = None
    top5: Share = None
    ap: Share = None
    ap50: Share = None
    ap75: Share = None
    ap_small: Share = None
    ap_medium: Share = None
    ap_large: Share = None


class ClassResult(_Model):
    """One class.

    Attributes:
        pixels: number of its pixels in the ground truth; of its images in classification, of its
            objects in detection.
        iou: intersection over union; only in segmentation.
        accuracy: share of `pixels` that the model finds; null in detection.
        ap: average precision; only in detection.
        change: difference from the reference in IoU, in classification in accuracy, in detection in
            average precision; null without a reference.
        agreement: share of the pixels with this class in the reference that have it in the model
            too; null without a reference.
    """

    index: int
    name: str
    pixels: int
    iou: Share
    accuracy: Share
    ap: Share = None
    change: Share = None
    agreement: Share = None


class Confusion(_Model):
    """A class in the ground truth or the reference that the model predicted as another class.

    Attributes:
        expected: name of the class in the ground truth or the reference.
        found: name of the predicted class.
        pixels: number of such pixels, or images in classification.
        share: their share of the expected class, 0..1.
    """

    expected: str
    found: str
    pixels: int
    share: float


class Image(_Model):
    """One of the worst images; see `seaformer.evaluation.tally.ImageScore` for `score`.

    In detection, it is the F1 score of the detections with a score of at least 0.3.
    """

    name: str
    score: float


class Difference(_Model):
    """The difference of a model from the reference on the same images; positive is better.

    Attributes:
        points: difference in mIoU, in classification in top-1 accuracy, in detection in AP, in
            percentage points.
        low: lower end of its 95 % interval over images.
        high: upper end of that interval.
    """

    points: Share
    low: Share
    high: Share


class MeasuredInterval(_Model):
    """The 95 % interval over images of one of the `Scores`, in detection.

    Attributes:
        measure: name of the member of `Scores`.
        low: lower end, 0..1; null if no object of this size occurs in some resample.
        high: upper end.
        change: difference from the reference, with its interval; null without a reference.
    """

    measure: str
    low: Share
    high: Share
    change: Difference | None = None


class ModelResult(_Model):
    """One model.

    Attributes:
        file: path as given on the command line.
        name: name of the file, with the device that it ran on if that is not the host.
        sha256: SHA-256 of the file.
        title: short description of the model.
        runtime: the runtime that ran it.
        protocol: "official" or "deployed", see `seaformer.evaluation.protocols`.
        input: how images are resized to its input.
        is_random: whether its weights are untrained, which makes the scores meaningless.
        note: caveats for the user; may be empty.
        agreement: share of all pixels, or images, with the same class as in the reference; null
            without a reference.
        difference: difference from the reference; null without a reference.
        intervals: intervals of the scores in detection; otherwise empty.
        classes: all classes, in the order of their indices.
        mistakes: the most frequent confusions against the ground truth.
        differences: the most frequent confusions against the reference; empty without a reference.
        worst: the images with the lowest accuracy, or the lowest agreement with a reference; in
            detection with the lowest score.
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
    intervals: tuple[MeasuredInterval, ...] = ()
    classes: tuple[ClassResult, ...]
    mistakes: tuple[Confusion, ...]
    differences: tuple[Confusion, ...]
    worst: tuple[Image, ...]


class Results(_Model):
    """The top-level object.

    Attributes:
        schema_version: version of this schema.
        complete: whether the evaluation is finished; false if there are broken images and the user
            did not allow skipping them. Rerunning the command tries them again.
        kind: kind of the task.
        task: name of the task.
        definition: how the scores are computed.
        data: folder of the data set as given on the command line.
        layout: layout of its folders.
        split: its split.
        pictures: number of evaluated images.
        available: number of images in the data set.
        broken: images that could not be read, which the scores do not include.
        models: the models; the first of several is the reference.
        versions: versions of the programs that ran.
    """

    schema_version: Literal[1] = 1
    complete: bool
    kind: Literal["segmentation", "classification", "detection"]
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


def class_score(result: ClassResult) -> float | None:
    """Return the score of a class: its IoU, its accuracy in classification, its AP in detection."""
    return next((one for one in (result.iou, result.ap) if one is not None), result.accuracy)


def collect(
    evaluation: Evaluation,
    dataset: Dataset,
    models: Sequence[Candidate],
    *,
    available: int,
    skip_broken: bool,
) -> Results:
    """Compute the results of a finished evaluation.

    `available` is the number of images in the whole data set, of which `dataset` may be a subset;
    `skip_broken` is whether broken images may be skipped.
    """
    is_detection = dataset.task.kind == "detection"
    packages = {model.runtime.package for model in models}
    return Results(
        complete=skip_broken or not evaluation.broken,
        kind=dataset.task.kind,
        task=dataset.task.name,
        definition=DETECTION_DEFINITION if is_detection else DEFINITION,
        data=str(dataset.folder),
        layout=dataset.layout,
        split=dataset.split,
        pictures=evaluation.done,
        available=available,
        broken=tuple(evaluation.broken),
        models=tuple((_detected if is_detection else _counted)(evaluation, dataset, models)),
        versions={
            name: version(name)
            for name in (
                "seaformer",
                "numpy",
                "pillow",
                *(["pycocotools"] if is_detection else []),
                *sorted(packages),
            )
        },
    )


def _counted(
    evaluation: Evaluation, dataset: Dataset, models: Sequence[Candidate]
) -> Iterator[ModelResult]:
    """Yield the results of segmentation and classification."""
    tallies = evaluation.tallies
    differences = [None, *map(_difference, evaluation.compare())]
    for model, tally, difference in zip(models, tallies, differences, strict=True):
        yield _model_result(model, tally, tallies[0], difference, dataset)


def _detected(
    evaluation: Evaluation, dataset: Dataset, models: Sequence[Candidate]
) -> Iterator[ModelResult]:
    """Yield the results of detection."""
    found = [tally.found for tally in evaluation.detections]
    items = [item for item in dataset.items if item.name in found[0]]
    names = [item.name for item in items]
    compared = compare_detections(
        names,
        [item.target for item in items if isinstance(item.target, Boxes)],
        [[of_model[name] for name in names] for of_model in found],
        dataset.task.num_classes,
    )
    for model, result in zip(models, compared, strict=True):
        yield _detection_result(model, result, dataset)


def _detection_result(model: Candidate, result: DetectionResult, dataset: Dataset) -> ModelResult:
    changes = {
        name: Difference(points=points, low=low, high=high)
        for name, (points, low, high) in result.changes.items()
    }
    before = result.class_changes or [None] * len(result.classes)
    rows = zip(dataset.task.labels, result.objects, result.classes, before, strict=True)
    return ModelResult(
        **_identity(model),
        note=" ".join(filter(None, (model.note, model.session.session.remark))),
        scores=Scores(**result.scores),
        agreement=None,
        difference=changes.get("ap"),
        intervals=tuple(
            MeasuredInterval(measure=name, low=low, high=high, change=changes.get(name))
            for name, (low, high) in result.intervals.items()
        ),
        classes=tuple(
            ClassResult(
                index=index,
                name=name,
                pixels=objects,
                iou=None,
                accuracy=None,
                ap=ap,
                change=change,
            )
            for index, (name, objects, ap, change) in enumerate(rows)
        ),
        mistakes=(),
        differences=(),
        worst=tuple(Image(name=worst.name, score=worst.score) for worst in result.worst),
    )


def _identity(model: Candidate) -> dict[str, Any]:
    """Return the members of `ModelResult` that describe a model and how it was run."""
    return {
        "file": str(model.path),
        "name": model.name,
        "sha256": model.sha256,
        "title": model.interface.title,
        "runtime": model.accelerated_by or model.runtime.title,
        "protocol": model.protocol.name,
        "input": model.protocol.description,
        "is_random": model.interface.is_random,
    }


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
        **_identity(model),
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
    """Return a hint if another label offset would make most pixels correct; else ""."""
    if not task.is_segmentation:
        return ""
    counts = matrix.counts
    right = int(counts.trace())
    for offset in OFFSETS:
        shifted = int(counts.trace(task.label_offset - offset))
        if offset != task.label_offset and shifted > max(right, counts.sum() // 2):
            return (
                f"{shifted / counts.sum():.0%} of the pixels are correct with label offset "
                f"{offset}, but only {right / counts.sum():.0%} with the task's offset, "
                f'{task.label_offset}. Set "label_offset": {offset} in the task of labels.json.'
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
    compared = scores.iou if is_segmentation else scores.accuracy
    changes: Sequence[float | None] = [None] * dataset.task.num_classes
    agreed: Sequence[float | None] = changes
    if tally.agreement is not None:
        before = reference.confusion.scores()
        compared_before = before.iou if is_segmentation else before.accuracy
        changes = [now - then for now, then in zip(compared, compared_before, strict=True)]
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
