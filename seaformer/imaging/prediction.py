"""Prediction: preprocessing, inference, and post-processing to a mask, boxes or probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import Interface
from seaformer.detection.decoding import decode
from seaformer.detection.detections import Detections
from seaformer.errors import SeaformerError
from seaformer.imaging.preprocessing import normalize, prepare, seen_part
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.runtimes import ImageSession

TIMED_RUNS = 5


@dataclass(frozen=True)
class Prediction:
    """The prediction of a model for a photo.

    Attributes:
        photograph: uint8 [H, W, 3], the part of the photo that the model saw, at full resolution.
        mask: class indices [H, W], uint8 or uint16; None for tasks other than segmentation.
        detections: their boxes are in pixels of `photograph`; None for tasks other than detection.
        probabilities: float64 [classes]; None for tasks other than classification, or if `decided`
            is set.
        decided: class index, if the output of a classifier is one; None otherwise.
        prepare_ms: latency of preprocessing, measured once.
        run_ms: latency of inference, median of the timed runs after a warm-up; None if not timed.
        finish_ms: latency of post-processing, measured once.
        output: raw output of the model.
    """

    photograph: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.unsignedinteger] | None
    detections: Detections | None
    probabilities: npt.NDArray[np.float64] | None
    decided: int | None
    prepare_ms: float
    run_ms: float | None
    finish_ms: float
    output: npt.NDArray[Any]

    def ranked(self, labels: Sequence[str]) -> list[tuple[str, float]]:
        """Return classes with probabilities, 0..1, largest first; empty without probabilities."""
        if self.probabilities is None:
            return []
        order = (-self.probabilities).argsort(kind="stable")
        return [(labels[index], float(self.probabilities[index])) for index in order]


def prepare_input(
    image: npt.NDArray[np.uint8], session: ImageSession, interface: Interface
) -> npt.NDArray[np.float32]:
    """Convert uint8 [H, W, 3], RGB, to the input of `session.run`.

    The input is float32 [1, channels, h, w] or [1, h, w, channels].
    """
    x = prepare(image, interface.preprocessing, session.input_shape)
    if not interface.normalizes_inside:
        x = normalize(x, interface.preprocessing)
    if session.layout == "NCHW":
        x = x.transpose(2, 0, 1)
    return np.ascontiguousarray(x[None])


def predict(
    image: npt.NDArray[np.uint8],
    session: ImageSession,
    interface: Interface,
    timed_runs: int = TIMED_RUNS,
) -> Prediction:
    """Run a model on a photo, uint8 [H, W, 3], RGB, and `timed_runs` more times to measure latency.

    Raises:
        SeaformerError: the output does not fit the interface, or is not finite.
    """
    start = perf_counter()
    x = prepare_input(image, session, interface)
    prepare_ms = _since(start)

    output = session.run(x)
    run_ms = median(session.time_ms(x, timed_runs)) if timed_runs else None
    if not np.isfinite(output).all():
        count = output.size - int(np.isfinite(output).sum())
        raise SeaformerError(
            f"{count} of the {output.size} output values are not finite. The weights of the model "
            "are damaged, or its precision is too low for them: export it with fp32."
        )

    photograph = seen_part(image, interface.preprocessing, session.input_shape)
    mask = detections = probabilities = decided = None
    start = perf_counter()
    if interface.kind == "segmentation":
        mask = mask_from(output, interface, photograph.shape[:2])
    elif interface.detection is not None:
        size = photograph.shape[0], photograph.shape[1]
        detections = decode(output, interface.detection, session.input_shape, size)
    elif interface.meaning.gives_ids:
        decided = decided_class(output, interface)
    else:
        probabilities = _probabilities(output, interface)
    finish_ms = _since(start)
    return Prediction(
        photograph, mask, detections, probabilities, decided, prepare_ms, run_ms, finish_ms, output
    )


def position_probabilities(
    output: npt.NDArray[Any], interface: Interface
) -> npt.NDArray[np.float64] | None:
    """Return the class probabilities at every position of a segmentation output.

    `output` is the output of a model with this interface for one image.

    Returns:
        float64 [classes, h, w], 0..1, at the size of the output; None if it is class indices.
    """
    found = interface.class_scores(output)
    if found is None:
        return None
    values = output[:, None] if output.ndim == 3 else np.moveaxis(output, found[1], 1)
    return interface.meaning.probabilities(values[0])


def mask_from(
    output: npt.NDArray[Any], interface: Interface, size: Sequence[int]
) -> npt.NDArray[np.unsignedinteger]:
    """Compute a mask of this height and width from logits or class indices.

    `output` is the output of a model with this interface for one image.

    Returns:
        Class indices [height, width], uint8 or uint16.

    Raises:
        SeaformerError: the output does not fit the interface.
    """
    height, width = size
    classes = len(interface.labels)
    if interface.meaning.gives_scores:
        found = interface.class_scores(output)
        if found is None or output.shape[0] != 1:
            channels = interface.meaning.channels(classes)
            raise SeaformerError(
                f"the model returns an output of shape {list(output.shape)}. Allowed: "
                f"[1, {channels}, height, width] or [1, height, width, {channels}], the "
                f"{interface.meaning.content} of {classes} classes. Is it a model for another task?"
            )
        scores, axis = found
        layout: Literal["CHW", "HWC"] = "CHW" if axis == 1 else "HWC"
        return upsample_argmax(scores[0], (height, width), layout=layout)
    if output.ndim == 4 and 1 in (output.shape[1], output.shape[3]):
        output = output[:, 0] if output.shape[1] == 1 else output[..., 0]
    _require_classes(output, 3, classes, "[1, height, width]")
    # Nearest neighbor, because an index between two class indices is a third class.
    rows, columns = (
        ((np.arange(there) + 0.5) * here / there).astype(int)
        for there, here in zip((height, width), output.shape[1:], strict=True)
    )
    ids = output[0][rows[:, None], columns]
    return ids.astype(np.uint8 if classes <= 256 else np.uint16)


def decided_class(output: npt.NDArray[Any], interface: Interface) -> int:
    """Return the class index in the output of a classifier for one image, [1] or [1, 1].

    Raises:
        SeaformerError: the output is not a single index of a class of the interface.
    """
    ids = output.reshape(-1)
    _require_classes(ids, 1, len(interface.labels), "[1]")
    return int(ids[0])


def _require_classes(ids: npt.NDArray[Any], axes: int, classes: int, allowed: str) -> None:
    if ids.ndim != axes or ids.shape[0] != 1 or ids.min() < 0 or ids.max() >= classes:
        raise SeaformerError(
            f"the model returns an output of shape {list(ids.shape)} with values from "
            f"{ids.min()} to {ids.max()}. Allowed: {allowed}, indices of {classes} "
            "classes. Is it a model for another task?"
        )


def _probabilities(output: npt.NDArray[Any], interface: Interface) -> npt.NDArray[np.float64]:
    classes = len(interface.labels)
    channels = interface.meaning.channels(classes)
    if output.shape != (1, channels):
        raise SeaformerError(
            f"the model returns an output of shape {list(output.shape)}. Allowed: [1, {channels}], "
            f"the {interface.meaning.content} of {classes} classes. Is it a model for another task?"
        )
    return interface.meaning.probabilities(output[0])


def _since(start: float) -> float:
    """Return the milliseconds since `start`, a value of `perf_counter`."""
    return 1000 * (perf_counter() - start)
