"""The worst images of an evaluation, drawn with their ground truth and the models' outputs."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.datasets import IGNORED, Boxes, Dataset, Item, read_mask
from seaformer.detection import SHOWN_SCORE
from seaformer.detection.detections import Detections
from seaformer.evaluation.models import Candidate
from seaformer.imaging.box_outlines import draw_outlines
from seaformer.imaging.images import read_image
from seaformer.imaging.overlay import ClassShare, blend, class_shares
from seaformer.reporting.page import image_url
from seaformer.tasks import Task

SIDE = 420
"""Longer side of an image in the report, in pixels."""

_OPACITY = 0.62
_LISTED = 12

_WRONG = np.array([255, 45, 85], np.uint8)
_FAINT = 3
"""Divisor of the brightness outside the highlighted pixels."""

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.integer]


class Panel(NamedTuple):
    """One of the images of a strip; `url` is a data URL of a JPEG."""

    caption: str
    url: str


class Strip(NamedTuple):
    """A photo beside its masks; for the score, see `ImageScore`.

    The legend lists the classes in the masks, largest first. In classification it is empty, and
    `facts` state the expected and the predicted classes.
    """

    name: str
    score: float
    panels: tuple[Panel, ...]
    legend: tuple[ClassShare, ...]
    facts: tuple[str, ...]


def draw_strips(
    dataset: Dataset, models: Sequence[Candidate], worst: Sequence[tuple[str, float]]
) -> Iterator[Strip]:
    """Rerun one model, or a reference and the model to compare with it, and draw the outputs.

    `worst` has the name and score of each image.

    Raises:
        SeaformerError: an image can no longer be read.
    """
    by_name = {item.name: item for item in dataset.items}
    items = [by_name[name] for name, _ in worst]
    of_models = [_compute(model, items, dataset.task.kind) for model in models]
    draw: Any = {
        "segmentation": _segmentation_strip,
        "classification": _classification_strip,
        "detection": _detection_strip,
    }[dataset.task.kind]
    for item, (_, score), *found in zip(items, worst, *of_models, strict=True):
        yield draw(item, score, dataset.task, models, found)


def _compute(model: Candidate, items: Sequence[Item], kind: str) -> list[Any]:
    """Return masks, top classes or detections for images, which run in one batch if sizes allow."""
    inputs, sizes = [], []
    for item in items:
        image = read_image(item.image)
        inputs.append(model.prepare(image))
        sizes.append((image.shape[0], image.shape[1]))
    are_alike = len({one.shape for one in inputs}) == 1
    groups = [slice(None)] if are_alike else [slice(one, one + 1) for one in range(len(items))]
    found: list[Any] = []
    for group in groups:
        stacked = np.stack(inputs[group])
        if kind == "classification":
            found += model.guesses(stacked)
        else:
            compute = model.masks if kind == "segmentation" else model.detections
            found += compute(stacked, sizes[group])
    return found


def _segmentation_strip(
    item: Item, score: float, task: Task, models: Sequence[Candidate], found: Sequence[Mask]
) -> Strip:
    image, truth = read_image(item.image), read_mask(item, task)
    small = _thumbnail(image)
    palette = task.palette or models[0].interface.palette
    panels = [_panel("photo", small), _panel("ground truth", _colored(small, truth, palette))]
    for model, mask in zip(models, found, strict=True):
        panels.append(_panel(model.name, _colored(small, mask, palette)))
    if len(found) == 1:
        wrong = (found[0] != truth) & (truth != IGNORED)
        panels.append(_panel("wrong", _marked(small, wrong)))
    else:
        panels.append(_panel("where they differ", _marked(small, found[0] != found[1])))
    shown = np.concatenate([truth[truth != IGNORED], *(mask.reshape(-1) for mask in found)])
    legend = class_shares(shown, task.labels, palette)[:_LISTED]
    return Strip(item.name, score, tuple(panels), tuple(legend), ())


def _classification_strip(
    item: Item,
    score: float,
    task: Task,
    models: Sequence[Candidate],
    found: Sequence[Sequence[int]],
) -> Strip:
    image = read_image(item.image)
    target = item.target
    facts = [f"ground truth: {task.labels[target]}"] if isinstance(target, int) else []
    for model, guesses in zip(models, found, strict=True):
        names = ", ".join(task.labels[guess] for guess in guesses)
        facts.append(f"{model.name}: {names}")
    return Strip(item.name, score, (_panel("photo", _thumbnail(image)),), (), tuple(facts))


def _detection_strip(
    item: Item,
    score: float,
    task: Task,
    models: Sequence[Candidate],
    found: Sequence[Detections],
) -> Strip:
    image, truth = read_image(item.image), item.target
    assert isinstance(truth, Boxes)  # true of every item of a detection task
    palette = task.palette or models[0].interface.palette
    drawn = [("ground truth", truth.corners(), truth.classes())]
    for model, detections in zip(models, found, strict=True):
        shown = detections.above(SHOWN_SCORE)
        drawn.append((model.name, shown.boxes, shown.classes))
    small = _thumbnail(image)
    scale = small.shape[1] / image.shape[1]
    panels = [
        _panel(caption, draw_outlines(small, (scale * boxes).tolist(), classes.tolist(), palette))
        for caption, boxes, classes in drawn
    ]
    every = np.concatenate([classes for _, _, classes in drawn])
    legend = class_shares(every, task.labels, palette)[:_LISTED] if every.size else []
    return Strip(item.name, score, (_panel("photo", small), *panels), tuple(legend), ())


def _thumbnail(image: Pixels) -> Pixels:
    small = Image.fromarray(image)
    small.thumbnail((SIDE, SIDE))
    return np.asarray(small)


def _colored(small: Pixels, mask: Mask, palette: Sequence[Sequence[int]] | None) -> Pixels:
    """Blend a mask of any size over a gray photo; ignored pixels stay dark."""
    gray, classes = _gray(small), _nearest(mask, small)
    ignored = classes == IGNORED
    colored = blend(gray, np.where(ignored, 0, classes), palette, _OPACITY)
    colored[ignored] = gray[ignored] // _FAINT
    return colored


def _marked(small: Pixels, wrong: npt.NDArray[np.bool_]) -> Pixels:
    """Highlight pixels over a darkened gray photo."""
    marked = _gray(small) // _FAINT
    marked[_nearest(wrong, small)] = _WRONG
    return marked


def _gray(image: Pixels) -> Pixels:
    # The photo's own colors could be mistaken for class colors.
    return np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def _nearest(mask: npt.NDArray[np.generic], small: Pixels) -> npt.NDArray[np.generic]:
    rows, columns = (
        (np.arange(after) * before) // after
        for before, after in zip(mask.shape, small.shape[:2], strict=True)
    )
    return mask[rows[:, None], columns]


def _panel(caption: str, pixels: Pixels) -> Panel:
    return Panel(caption, image_url(pixels, "JPEG", quality=88, subsampling=0))
