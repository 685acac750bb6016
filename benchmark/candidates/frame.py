"""A camera frame for a model: the runner's input and expected results."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import Interface
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.runner.plan import PlannedFrame, PlannedPreparation
from seaformer.errors import UsageError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare, scaled_size, seen_size
from seaformer.runtimes.session import Tensor
from seaformer.tasks import Preprocessing

FRAME_FILE = "camera.frame"

LEVELS = np.arange(256, dtype=np.float32)
"""All values of a resized image."""

WHOLE = Preprocessing(
    color_order="RGB",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    interpolation="bicubic",
    resize="center-crop",
    input_size=(1, 1),
    pad_value=0.0,
    crop_fraction=1.0,
)
"""Fit of the photograph to the frame: cropped to fill it, with its aspect ratio."""


def camera_frame(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the bundled photograph as a frame of a height and width: uint8 [H, W, 3]."""
    return prepare(read_image(sample_photograph()), WHOLE, size).astype(np.uint8)


def planned_frame(pixels: npt.NDArray[np.uint8]) -> PlannedFrame:
    """Return the entry for a frame, uint8 [H, W, 3], in a plan."""
    height, width, _ = pixels.shape
    return PlannedFrame(FRAME_FILE, (height, width))


@dataclass(frozen=True)
class FramePath:
    """Processing of frames for one model, from the camera to the mask.

    Attributes:
        interface: interface of the model.
        entry: input of the model.
        planned: its entry in a plan of the runner.
    """

    interface: Interface
    entry: Tensor
    planned: PlannedPreparation

    @cached_property
    def levels(self) -> bytes:
        """The input value for each of 0 to 255: [channels, 256], in the type of the input."""
        channels = self.interface.input.channels
        values = np.repeat(LEVELS[:, None], channels, axis=1)
        return self._encoded(values).T.tobytes()

    def expected_input(self, pixels: npt.NDArray[np.uint8]) -> bytes:
        """Return the input for a frame, uint8 [H, W, 3], by the preprocessing in Python."""
        of = self.interface
        encoded = self._encoded(prepare(pixels, of.preprocessing, of.input.size))
        return (encoded if of.input.layout == "NHWC" else encoded.transpose(2, 0, 1)).tobytes()

    def _encoded(self, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Convert values of 0 to 255, [..., channels], to values in the type of the input."""
        of = self.interface
        return self.entry.encode(
            values if of.normalizes_inside else normalize(values, of.preprocessing)
        )


def frame_path(candidate: Candidate, size: tuple[int, int]) -> FramePath:
    """Return the processing of frames of a height and width for a model.

    Raises:
        UsageError: the model has no preprocessing metadata, or the runner cannot compute a mask
            from its output.
    """
    of, entry = candidate.metadata, candidate.entry
    if of is None or entry is None or candidate.input.source != "photograph":
        raise _refusal(candidate, "it has no preprocessing metadata")
    if of.detection is not None:
        raise _refusal(candidate, "the runner does not decode boxes")
    preprocessing, input_size = of.preprocessing, of.input.size
    mask_size = None
    if of.kind == "segmentation":
        if not candidate.gives_class_ids and candidate.mask_size is None:
            what = f"{candidate.meaning} in {candidate.outputs[0].dtype}"
            raise _refusal(candidate, f"the runner cannot compute a mask from its output, {what}")
        mask_size = seen_size(size, preprocessing, input_size)
    planned = PlannedPreparation(
        levels_file=f"{candidate.id}.levels",
        layout=of.input.layout,
        color_order=preprocessing.color_order,
        interpolation=preprocessing.interpolation,
        scaled_size=scaled_size(size, preprocessing, input_size),
        mask_size=mask_size,
        mask_of="ids" if candidate.gives_class_ids else "logits",
    )
    return FramePath(of, entry, planned)


def _refusal(candidate: Candidate, reason: str) -> UsageError:
    return UsageError(
        f"--frame needs models with an image as input, which '{candidate.path}' does not support: "
        f"{reason}. Omit --frame or this model."
    )
