"""Images that a quantized file is judged on besides those of the calibration folder.

A folder of dark photographs makes ranges that fit dark photographs, and a file that is judged on
that folder alone passes. So it is judged on others too: of --verify-images, of the task where it
draws its own, or the bundled photograph in several lights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seaformer.datasets.shapes import TASK as SHAPES
from seaformer.datasets.shapes import ShapesDataset
from seaformer.export.quantize.calibration import Images, open_folder
from seaformer.export.quantize.ranges import Activation
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.tasks import Task

SCENES = 100

NARROW = 0.5
"""A calibrated range below this share of what the independent images reach does not fit them."""

MAX_NARROW = 0.1
"""Share of the activations that may be so narrow without a word."""

LIGHTS = ((1.0, 0.0), (0.5, 0.0), (0.6, 102.0))
"""The photograph times the first number, plus the second: as it is, darkened, brightened."""


@dataclass(frozen=True)
class Independent:
    """Images, and the number of classes of their truth; None without one.

    `skipped` says which files of a folder are not used, "" for none.
    """

    images: Images
    classes: int | None
    skipped: str = ""


def independent_images(
    task: Task, calibration: str | None, verify_images: str | None
) -> Independent | None:
    """Find the images; None where the calibration's own held-out ones are independent already.

    Args:
        task: of the network.
        calibration: as given to --calibration.
        verify_images: as given to --verify-images.

    Raises:
        SeaformerError: the folder is missing or has no images.
    """
    if verify_images is not None:
        found = open_folder(verify_images, SCENES, task, "--verify-images")
        return Independent(found.images, found.classes, found.skipped)
    if task.name != SHAPES:
        return Independent(_photographs(), None)
    if calibration is None:
        return None
    scenes = ShapesDataset("val")
    images = Images(f"{SCENES} procedural scenes (val)", SCENES, scenes.__getitem__)
    return Independent(images, scenes.task.num_classes)


def misfit(calibrated: Mapping[str, Activation], independent: Mapping[str, Activation]) -> str:
    """Say how many calibrated ranges are too narrow for the independent images; "" for few."""
    shared = calibrated.keys() & independent.keys()
    narrow = [
        name for name in shared if _span(calibrated[name]) < NARROW * _span(independent[name])
    ]
    if len(narrow) <= MAX_NARROW * len(shared):
        return ""
    return (
        f"{len(narrow)} of {len(shared)} activations reach less than half as far in the "
        "calibration images as in"
    )


def _span(activation: Activation) -> float:
    return max(activation.highs) - min(activation.lows)


def _photographs() -> Images:
    photograph = read_image(sample_photograph())
    images = []
    for gain, offset in LIGHTS:
        lit = np.clip(gain * photograph + offset, 0, 255).round().astype(np.uint8)
        images += [lit, lit[:, ::-1]]
    return Images(
        "the bundled photograph in several lights, flipped too",
        len(images),
        lambda place: (images[place], None),
    )
