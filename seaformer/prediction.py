"""From a photograph and a model to a mask or class probabilities: prepare, run, finish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.preprocessing import normalize, prepare, seen_part
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.runtimes import ImageSession
from seaformer.runtimes.metadata import FEATURES
from seaformer.tasks import Preprocessing, Task

TIMED_RUNS = 5
CONTENTS = ("logits", "classes", "mask")


@dataclass(frozen=True)
class Contract:
    """What a model wants to be given, and what its output means.

    Attributes:
        title: the model in words.
        kind: "segmentation" or "classification".
        labels: class names.
        palette: colour of each class; None if there are none.
        preprocessing: how a photograph becomes the input.
        normalize: whether the input is to be normalised before it is given to the model.
        output_layout: "NCHW" or "NHWC"; None to tell it by the number of classes.
        is_random: whether the weights were never trained.
        content: one of `CONTENTS`: logits, or class ids at the logits' or the input's size.
    """

    title: str
    kind: str
    labels: tuple[str, ...]
    palette: Sequence[Sequence[int]] | None
    preprocessing: Preprocessing
    normalize: bool
    output_layout: str | None
    is_random: bool
    content: str = "logits"

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "Contract":
        """Read it from the metadata of an export (`seaformer.runtimes.metadata`).

        Raises:
            UsageError: the model takes no picture.
            SeaformerError: a member is missing or out of range, or the content is unknown.
        """
        if metadata.get("kind") == FEATURES:
            raise UsageError(
                f"the model '{metadata.get('name')}' takes the features of another network, not a "
                "picture. Give one that was exported from a whole network."
            )
        try:
            source, output = metadata["input"], metadata["output"]
            content = output.get("content", "logits")
            preprocessing = {
                key: source[key] for key in ("color_order", "mean", "std", "interpolation")
            } | {
                "resize": source["resize"],
                "crop_fraction": source.get("crop_fraction"),
                "input_size": _sides(source["shape"], source["layout"]),
                "pad_value": 0.0,
            }
            # A user's own network is no variant and has a name instead.
            variant = metadata["variant"]
            model = metadata["model"] if variant is None else f"SeaFormer-{variant}"
            contract = cls(
                title=f"{model}, {metadata['task']}, {metadata['precision']}",
                kind=metadata["kind"],
                labels=tuple(metadata["labels"]),
                palette=metadata.get("palette"),
                preprocessing=Preprocessing.from_json(preprocessing, "input"),
                normalize=source["normalization"] == "outside",
                output_layout=output.get("layout"),
                is_random=metadata["weights"]["is_random"],
                content=content,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            missing = f"no {error}" if isinstance(error, KeyError) else error
            raise SeaformerError(
                f"the model's metadata cannot be used: {missing}. Export the model again."
            ) from error
        if content not in CONTENTS:
            raise SeaformerError(
                f"the model's output is '{content}'. Allowed: {', '.join(CONTENTS)}. Export the "
                "model again."
            )
        return contract

    @classmethod
    def from_task(cls, task: Task) -> "Contract":
        """Assume what a foreign file for `task` is like: normalised input, logits as output."""
        return cls(
            title=f"a model without metadata, taken for {task.title}",
            kind=task.kind,
            labels=task.labels,
            palette=task.palette,
            preprocessing=task.preprocessing,
            normalize=True,
            output_layout=None,
            is_random=False,
        )

    def logits_layout(self, shape: Sequence[int]) -> Literal["CHW", "HWC"] | None:
        """Where the classes stand in logits [N, C, h, w] or [N, h, w, C]; None if in neither."""
        classes = len(self.labels)
        if len(shape) == 4 and shape[1] == classes and self.output_layout in ("NCHW", None):
            return "CHW"
        if len(shape) == 4 and shape[3] == classes and self.output_layout in ("NHWC", None):
            return "HWC"
        return None


@dataclass(frozen=True)
class Prediction:
    """What a model says about a photograph.

    Attributes:
        photograph: uint8 [H, W, 3], what the model saw of it, at its own resolution.
        mask: class indices [H, W], uint8 or uint16; None if the model classifies.
        probabilities: float64 [classes]; None if the model segments.
        prepare_ms: milliseconds from the photograph to the input, once.
        run_ms: milliseconds of the network, the median of `TIMED_RUNS` after one that is not
            counted.
        finish_ms: milliseconds from the output to the mask or the probabilities, once.
    """

    photograph: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.unsignedinteger] | None
    probabilities: npt.NDArray[np.float64] | None
    prepare_ms: float
    run_ms: float
    finish_ms: float


def prepare_input(
    image: npt.NDArray[np.uint8], session: ImageSession, contract: Contract
) -> npt.NDArray[np.float32]:
    """Turn a photograph into what `session.run` takes.

    Args:
        image: uint8 [H, W, 3], RGB.
        session: the model.
        contract: what it takes in.

    Returns:
        float32 [1, 3, h, w] or [1, h, w, 3].
    """
    x = prepare(image, contract.preprocessing, session.input_shape)
    if contract.normalize:
        x = normalize(x, contract.preprocessing)
    if session.layout == "NCHW":
        x = x.transpose(2, 0, 1)
    return np.ascontiguousarray(x[None])


def predict(image: npt.NDArray[np.uint8], session: ImageSession, contract: Contract) -> Prediction:
    """Run a model on a photograph.

    Args:
        image: uint8 [H, W, 3], RGB.
        session: the model.
        contract: what it takes in and gives out.

    Raises:
        SeaformerError: the output does not fit the contract, or is not finite.
    """
    start = perf_counter()
    x = prepare_input(image, session, contract)
    prepare_ms = _since(start)

    output = session.run(x)
    times_ms = session.time_ms(x, TIMED_RUNS)
    if not np.isfinite(output).all():
        count = output.size - int(np.isfinite(output).sum())
        raise SeaformerError(
            f"{count} of the {output.size} values that the model gives are not finite. Its weights "
            "are damaged, or its precision is too low for them: export it with fp32."
        )

    photograph = seen_part(image, contract.preprocessing, session.input_shape)
    mask = probabilities = None
    start = perf_counter()
    if contract.kind == "segmentation":
        mask = mask_from(output, contract, photograph.shape[:2])
    else:
        probabilities = _softmax(output, contract)
    return Prediction(photograph, mask, probabilities, prepare_ms, median(times_ms), _since(start))


def _sides(shape: Sequence[int], layout: str) -> Sequence[int]:
    return shape[1:3] if layout == "NHWC" else shape[2:4]


def mask_from(
    output: npt.NDArray[Any], contract: Contract, size: Sequence[int]
) -> npt.NDArray[np.unsignedinteger]:
    """Bring logits, or the class ids that the model decided for itself, to a size.

    Args:
        output: what the model gives for one picture, as it gives it.
        contract: what that means.
        size: height and width of the mask in pixels.

    Returns:
        Class indices [height, width], uint8 or uint16.

    Raises:
        SeaformerError: the output does not fit the contract.
    """
    height, width = size
    classes = len(contract.labels)
    if contract.content == "logits":
        layout = contract.logits_layout(output.shape)
        if layout is None or output.shape[0] != 1:
            raise SeaformerError(
                f"the model gives an output of shape {list(output.shape)}. Allowed: "
                f"[1, {classes}, height, width] or [1, height, width, {classes}], the logits of "
                f"{classes} classes. Is it a model of another task?"
            )
        return upsample_argmax(output[0], (height, width), layout=layout)
    if output.ndim != 3 or output.shape[0] != 1 or output.min() < 0 or output.max() >= classes:
        raise SeaformerError(
            f"the model gives an output of shape {list(output.shape)} with values from "
            f"{output.min()} to {output.max()}. Allowed: [1, height, width], ids of {classes} "
            "classes. Is it a model of another task?"
        )
    # The nearest id: those between two classes mean a third one.
    rows, columns = (
        ((np.arange(there) + 0.5) * here / there).astype(int)
        for there, here in zip((height, width), output.shape[1:], strict=True)
    )
    ids = output[0][rows[:, None], columns]
    return ids.astype(np.uint8 if classes <= 256 else np.uint16)


def _softmax(output: npt.NDArray[Any], contract: Contract) -> npt.NDArray[np.float64]:
    classes = len(contract.labels)
    if output.shape != (1, classes):
        raise SeaformerError(
            f"the model gives an output of shape {list(output.shape)}. Allowed: [1, {classes}], "
            f"the logits of {classes} classes. Is it a model of another task?"
        )
    logits = output[0].astype(np.float64)
    exponentials = np.exp(logits - logits.max())
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum()
    return probabilities


def _since(start: float) -> float:
    """Milliseconds since `start`, a time of `perf_counter`."""
    return 1000 * (perf_counter() - start)
