"""The HTML report of a run: curves, predictions, scores by class, recipe."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.datasets import Boxes
from seaformer.detection import SHOWN_SCORE
from seaformer.detection.detections import Detections
from seaformer.evaluation.average_precision import MEASURES, DetectionScores
from seaformer.evaluation.metrics import SegmentationScores
from seaformer.imaging.box_outlines import draw_outlines
from seaformer.imaging.overlay import Color, blend, class_color
from seaformer.network_names import members
from seaformer.reporting.numbers import exact, percent, significant
from seaformer.reporting.page import Page, commands_of, image_url
from seaformer.reporting.plots import Mark, Plot, line, spots
from seaformer.reporting.scale import Scale
from seaformer.training.checkpoints import METRICS, RunFolder
from seaformer.training.progress import read_metrics

FILE = "report.html"

_HIGHEST = 320
"""Maximum height in pixels of an example; images of data sets are much larger."""

_CURVES = (
    ("loss", "loss", 1),
    ("mIoU", "mIoU, %", 100),
    ("AP", "AP, %", 100),
    ("lr", "learning rate", 1),
)
"""Key in the metrics, title with unit, and scale factor of each curve."""

_MAX_DOTS = 40
"""The dots of curves with more values are drawn only under the pointer or with the focus."""

Pixels = npt.NDArray[np.uint8]
Scores = SegmentationScores | DetectionScores
Annotation = Pixels | Boxes | Detections
"""A mask, uint8 [H, W], or boxes: of the ground truth, or predicted."""


@dataclass(frozen=True)
class _ClassRow:
    """A row of the class table; `score` is None if the class does not occur; shares are 0..1."""

    name: str
    color: Color
    score: float | None
    share: float


@dataclass(frozen=True)
class TrainingPage(Page, template="training.html"):
    """Data of the page.

    Attributes:
        network: title of the network.
        task: title of the task.
        score_name: name of the score of a class.
        unit: what the share of a class is counted in.
        curves: plots over the steps.
        predictions: data URLs, each with image, ground truth and prediction side by side.
        classes: rows of the class table.
        recipe: all settings that determine the result, by name.
    """

    network: str
    task: str
    score_name: str
    unit: str
    curves: list[Plot]
    predictions: list[str]
    classes: list[_ClassRow]
    recipe: dict[str, Any]


def write_report(
    folder: RunFolder,
    scores: Scores,
    examples: list[tuple[Pixels, Annotation, Annotation]],
    command: str | None = None,
) -> None:
    """Write the self-contained report.html into the folder of the run, which has its metrics.

    `scores` belong to the best weights as stored; `examples` are images, uint8 [H, W, 3], each
    with ground truth and prediction; `command` is the command line, if any.
    """
    entries = read_metrics(folder.path / METRICS)
    if isinstance(scores, SegmentationScores):
        of_classes, amounts = scores.iou, scores.pixels
    else:
        of_classes, amounts = tuple(scores.values[len(MEASURES) :]), scores.objects
    total = sum(amounts) or 1
    origin = {name: value for name, value in asdict(folder.origin).items() if value is not None}
    page = TrainingPage(
        verdict=verdict(scores),
        commands=commands_of(command),
        network=folder.network.long_title,
        task=folder.task.title,
        score_name="IoU" if folder.task.is_segmentation else folder.task.score_name,
        unit="pixels" if folder.task.is_segmentation else "objects",
        curves=[
            _curve(title, [(entry["step"], factor * entry[key]) for entry in chosen])
            for key, title, factor in _CURVES
            if (chosen := [entry for entry in entries if key in entry])
        ]
        + _curves_of_terms(entries),
        predictions=[_prediction(folder, example) for example in examples],
        classes=[
            _ClassRow(
                name,
                class_color(index, folder.task.palette),
                None if np.isnan(of_classes[index]) else float(of_classes[index]),
                amounts[index] / total,
            )
            for index, name in enumerate(folder.task.labels)
        ],
        recipe=members(folder.network.name) | origin | folder.recipe.to_json(),
    )
    page.write(folder.path / FILE)


def verdict(scores: Scores) -> list[str]:
    """State the scores of the best weights."""
    if isinstance(scores, DetectionScores):
        if np.isnan(scores.ap):
            return ["No score can be stated: the validation images have no boxes."]
        return [
            f"The best weights have AP {percent(scores.ap)} % and AP50 "
            f"{percent(float(scores.values[1]))} % on the validation images."
        ]
    if np.isnan(scores.miou):
        return ["No score can be stated: the validation images have no labeled pixel."]
    return [
        f"The best weights have mIoU {percent(scores.miou)} % and pixel accuracy "
        f"{percent(scores.pixel_accuracy)} % on the validation images."
    ]


def _curve(title: str, points: Sequence[tuple[int, float]]) -> Plot:
    """Plot one quantity over the steps; both axes start at 0."""
    x = Scale.over([0.0, points[-1][0]], least=1.0)
    y = Scale.over([0.0, *(value for _, value in points)], least=1e-12)
    positions = [(x.at(step), y.below(value)) for step, value in points]
    last = f"last {points[-1][1]:.4g}"
    marks = [Mark("curve", line(positions))]
    titles = (f"step {step}: {exact(value)}" for step, value in points)
    size = "spots" if len(points) <= _MAX_DOTS else "spots unseen"
    marks += spots(size, list(zip(positions, titles, strict=True)))
    highest = significant(max(value for _, value in points))
    description = f"Highest {highest}, {last}, at step {points[-1][0]}."
    return Plot(f"{title}; {last}", description, tuple(marks), x, y, "step")


def _curves_of_terms(entries: Sequence[dict[str, Any]]) -> list[Plot]:
    """Plot each term of the loss, if it has terms."""
    chosen = [entry for entry in entries if "terms" in entry]
    return [
        _curve(
            f"loss: {name.replace('_', ' ')}",
            [(entry["step"], entry["terms"][name]) for entry in chosen],
        )
        for name in (chosen[0]["terms"] if chosen else ())
    ]


def _prediction(folder: RunFolder, example: tuple[Pixels, Annotation, Annotation]) -> str:
    image, *annotations = example
    row = [_small(image), *(_drawn(folder, image, annotation) for annotation in annotations)]
    return image_url(np.concatenate(row, axis=1), "PNG")


def _drawn(folder: RunFolder, image: Pixels, annotation: Annotation) -> Pixels:
    palette = folder.task.palette
    if isinstance(annotation, Boxes):
        classes = annotation.classes().tolist()
        return _small(draw_outlines(image, annotation.corners().tolist(), classes, palette))
    if isinstance(annotation, Detections):
        shown = annotation.above(SHOWN_SCORE)
        boxes, classes = shown.boxes.tolist(), shown.classes.tolist()
        return _small(draw_outlines(image, boxes, classes, palette))
    mask = _small(annotation)
    colored = blend(_small(image), mask, palette, opacity=0.85)
    colored[mask >= folder.task.num_classes] = 0
    return colored


def _small(pixels: Pixels) -> Pixels:
    step = -(-pixels.shape[0] // _HIGHEST)
    return np.ascontiguousarray(pixels[::step, ::step])
