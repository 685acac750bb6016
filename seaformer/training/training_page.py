"""The HTML report of a run: curves, predictions, accuracy by class, recipe."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.evaluation.metrics import SegmentationScores
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

_CURVES = (("loss", "cross-entropy", 1), ("mIoU", "mIoU, %", 100), ("lr", "learning rate", 1))
"""Key in the metrics, title with unit, and scale factor of each curve."""

_MAX_DOTS = 40
"""The dots of curves with more values are drawn only under the pointer or with the focus."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _ClassRow:
    """A row of the class table; `iou` is None if the class does not occur; shares are 0..1."""

    name: str
    color: Color
    iou: float | None
    share: float


@dataclass(frozen=True)
class TrainingPage(Page, template="training.html"):
    """Data of the page.

    Attributes:
        network: title of the network.
        task: title of the task.
        scores: scores of the best weights as stored.
        curves: plots over the steps.
        predictions: data URLs, each with image, ground truth and prediction side by side.
        classes: rows of the class table.
        recipe: all settings that determine the result, by name.
    """

    network: str
    task: str
    scores: SegmentationScores
    curves: list[Plot]
    predictions: list[str]
    classes: list[_ClassRow]
    recipe: dict[str, Any]


def write_report(
    folder: RunFolder,
    scores: SegmentationScores,
    examples: list[tuple[Pixels, Pixels, Pixels]],
    command: str | None = None,
) -> None:
    """Write the self-contained report.html into the folder of the run, which has its metrics.

    `scores` belong to the best weights as stored; `examples` are images, uint8 [H, W, 3], each
    with ground truth and predicted mask, uint8 [H, W]; `command` is the command line, if any.
    """
    entries = read_metrics(folder.path / METRICS)
    total = sum(scores.pixels) or 1
    page = TrainingPage(
        verdict=verdict(scores),
        commands=commands_of(command),
        network=folder.network.long_title,
        task=folder.task.title,
        scores=scores,
        curves=[
            _curve(title, [(entry["step"], factor * entry[key]) for entry in chosen])
            for key, title, factor in _CURVES
            if (chosen := [entry for entry in entries if key in entry])
        ],
        predictions=[_prediction(folder, example) for example in examples],
        classes=[
            _ClassRow(
                name,
                class_color(index, folder.task.palette),
                None if np.isnan(scores.iou[index]) else scores.iou[index],
                scores.pixels[index] / total,
            )
            for index, name in enumerate(folder.task.labels)
        ],
        recipe=members(folder.network.name) | asdict(folder.origin) | folder.recipe.to_json(),
    )
    page.write(folder.path / FILE)


def verdict(scores: SegmentationScores) -> list[str]:
    """State the scores of the best weights."""
    if np.isnan(scores.miou):
        return ["No score can be stated: the validation images have no labelled pixel."]
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


def _prediction(folder: RunFolder, example: tuple[Pixels, Pixels, Pixels]) -> str:
    image, truth, predicted = (_small(pixels) for pixels in example)
    row = [image]
    for mask in (truth, predicted):
        colored = blend(image, mask, folder.task.palette, opacity=0.85)
        colored[mask >= folder.task.num_classes] = 0
        row.append(colored)
    return image_url(np.concatenate(row, axis=1), "PNG")


def _small(pixels: Pixels) -> Pixels:
    step = -(-pixels.shape[0] // _HIGHEST)
    return np.ascontiguousarray(pixels[::step, ::step])
