"""A golden input and output for each bundled model, used by the app to check accelerators.

The input is a small image, which the app's and Python's preprocessing convert to the same tensor.
The output is computed from the bundled file on this computer's CPU. If it is large, only values at
evenly spaced positions are stored.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.artifact.accelerators import ACCELERATORS, DeviceThreshold
from seaformer.artifact.metadata import Interface, Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.bundling.model import Model
from seaformer.errors import SeaformerError, look_up
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.prediction import prepare_input
from seaformer.runtimes import open_model
from seaformer.runtimes.session import Array

SCHEMA_VERSION = 2
IMAGE_NAME = "image.rgb"
IMAGE_SIDE = 160
"""Longer side in pixels; like any other image, it is resized to the model's input."""

MAX_VALUES = 1 << 17
"""Limit for a stored output, so that a model adds at most 512 KiB to an APK."""


@dataclass(frozen=True)
class Golden:
    """The golden output of one model.

    Attributes:
        model_sha256: SHA-256 of the model file.
        reference: description of the runtime that computed it.
        step: distance between stored positions in row-major order.
        positions: number of stored positions.
        channels: values per position: one per class, or 1 for class ids; for boxes also the four
            offsets. Positions of boxes are anchors.
        thresholds: accelerator -> the thresholds that it has to reach.
        values: [positions, channels], float32 scores, where the largest wins, logits and offsets of
            boxes, or int32 class ids; quantized values are stored dequantized.
    """

    model_sha256: str
    reference: str
    step: int
    positions: int
    channels: int
    thresholds: dict[str, DeviceThreshold]
    values: Array

    def text(self, image: npt.NDArray[np.uint8]) -> str:
        """Return everything except the values as JSON; `image` is the input, [height, width, 3]."""
        members = {key: value for key, value in asdict(self).items() if key != "values"}
        height, width, _ = image.shape
        described = {"schema_version": SCHEMA_VERSION, "height": height, "width": width, **members}
        return json.dumps(described, indent=1) + "\n"


def golden_image() -> npt.NDArray[np.uint8]:
    """Return the input of all models: the package's photo, reduced; uint8 [height, width, 3]."""
    photograph = Image.fromarray(read_image(sample_photograph()))
    photograph.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    return np.asarray(photograph)


def compute_golden(model: Model, image: npt.NDArray[np.uint8]) -> Golden:
    """Run a model on the image, on this computer's CPU.

    Raises:
        SeaformerError: the model cannot be run here, or its output is not finite.
    """
    with open_model(model.path) as session:
        output = session.run(prepare_input(image, session, model.metadata))
        reference = f"{session.session.runtime} on the CPU of the computer that bundled the model"
    require_finite(output, model.path, "the app could not check accelerators")
    return sample_output(output, model.metadata, model.sha256, reference)


def require_finite(output: Array, path: Path, impossible: str) -> None:
    """Check the output of a model; `impossible` is a clause about what a failure would prevent.

    Raises:
        SeaformerError: a value is not finite.
    """
    if not np.isfinite(output).all():
        raise SeaformerError(
            f"'{path}' computes values that are not finite on this computer, so {impossible} "
            "against them. Export the model again."
        )


def sample_output(output: Array, metadata: Metadata, sha256: str, reference: str) -> Golden:
    """Sample an output, scores, boxes or class ids, at evenly spaced positions."""
    return sample_output_of(output, metadata, metadata.precision, sha256, reference)


def sample_output_of(
    output: Array, interface: Interface, precision_name: str, sha256: str, reference: str
) -> Golden:
    """Sample an output as `sample_output` does; the thresholds are those of a precision."""
    rows, width = _rows(output, interface)
    channels = rows.shape[-1]
    step = _step(len(rows), channels, width)
    values = rows[::step].astype("<i4" if interface.meaning.gives_ids else "<f4")
    precision = look_up(PRECISIONS, "precision", precision_name)
    return Golden(
        model_sha256=sha256,
        reference=reference,
        step=step,
        positions=len(values),
        channels=channels,
        thresholds={
            name: accelerator.device_threshold(precision)
            for name, accelerator in ACCELERATORS.items()
        },
        values=values,
    )


def _rows(output: Array, interface: Interface) -> tuple[Array, int]:
    """Return an output as [positions, channels], and the number of positions in a grid row."""
    if interface.detection is not None:
        level = interface.detection.levels[0]
        return output[0], level.grid[1] * len(level.sizes) * len(level.aspect_ratios)
    found = interface.class_scores(output)
    grid = output[0, ..., None] if found is None else np.moveaxis(found[0], found[1], -1)[0]
    return grid.reshape(-1, grid.shape[-1]), grid.shape[-2] if grid.ndim == 3 else 1


def _step(positions: int, channels: int, width: int) -> int:
    """Return a distance between positions that fits `MAX_VALUES` and reaches all grid columns."""
    step = math.ceil(positions * channels / MAX_VALUES)
    while step > 1 and math.gcd(step, width) > 1:
        step += 1
    return step


def write_golden(folder: Path, stem: str, golden: Golden, image: npt.NDArray[np.uint8]) -> None:
    """Write the files of a model: the image that all models share, STEM.json and STEM.bin."""
    (folder / IMAGE_NAME).write_bytes(image.tobytes())
    (folder / f"{stem}.json").write_text(golden.text(image), encoding="utf-8")
    (folder / f"{stem}.bin").write_bytes(golden.values.tobytes())
