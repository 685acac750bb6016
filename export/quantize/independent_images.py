"""Images on which quantized files are verified in addition to the calibration folder.

Ranges from a folder of dark photos are suitable only for dark photos, and a file verified on that
folder alone would pass. Therefore it is also verified on images of --verify-images, on procedural
scenes of the task, or on the bundled photo at several brightness levels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seaformer.datasets.shapes import TASK as SHAPES
from seaformer.datasets.shapes import ShapesDataset
from seaformer.export.quantize.calibration import DRAWN, Images, open_folder
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.quantization.ranges import Activation
from seaformer.tasks import Task

SCENES = 100

NARROW = 0.5
"""A calibrated range is too narrow below this share of the range on independent images."""

MAX_NARROW = 0.1
"""Share of activations with too narrow a range; above it, the command warns."""

LIGHTS = ((1.0, 0.0), (0.5, 0.0), (0.6, 102.0))
"""Gain and offset of the photo's pixel values: unchanged, darkened, brightened."""


@dataclass(frozen=True)
class Independent:
    """Images, and the number of classes of their ground truth; None without ground truth.

    `skipped` is a message about the files of a folder that are not used; "" for none.
    """

    images: Images
    classes: int | None
    skipped: str = ""


def independent_images(
    task: Task, calibration: str | None, verify_images: str | None
) -> Independent | None:
    """Open the images; None if the held-out images of the calibration are independent already.

    Args:
        task: task of the network.
        calibration: value of --calibration.
        verify_images: value of --verify-images.

    Raises:
        SeaformerError: the folder is missing or has no images.
    """
    if verify_images is not None:
        found = open_folder(verify_images, SCENES, task, "--verify-images")
        return Independent(found.images, found.classes, found.skipped)
    if task.name not in DRAWN:
        return Independent(_photographs(), None)
    if calibration is None:
        return None
    scenes = ShapesDataset("val")
    images = Images(f"{SCENES} procedural scenes (val)", SCENES, scenes.__getitem__)
    return Independent(images, scenes.task.num_classes if task.name == SHAPES else None)


def misfit(calibrated: Mapping[str, Activation], independent: Mapping[str, Activation]) -> str:
    """Describe how many calibrated ranges are too narrow for the independent images; "" if few."""
    shared = calibrated.keys() & independent.keys()
    narrow = [
        name for name in shared if _span(calibrated[name]) < NARROW * _span(independent[name])
    ]
    if len(narrow) <= MAX_NARROW * len(shared):
        return ""
    return (
        f"the calibrated ranges of {len(narrow)} of {len(shared)} activations are less than half "
        "as wide as those on"
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
        "the bundled photo at several brightness levels, also flipped",
        len(images),
        lambda place: (images[place], None),
    )
