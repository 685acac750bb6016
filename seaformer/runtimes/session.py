"""What the runtimes have in common: a model that takes one picture and gives one array."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError, UsageError
from seaformer.input_size import PICTURE_CHANNELS
from seaformer.runtimes.integers import IntegerTensor
from seaformer.runtimes.metadata import FEATURES
from seaformer.tasks import get_task


@dataclass(frozen=True)
class Options:
    """The arguments of `open_model`, which explains them."""

    threads: int
    variant: str | None
    task: str | None
    input_size: tuple[int, int] | None
    channels: int | None = None


@dataclass(frozen=True)
class PictureInput:
    """The one input of a model: a picture, or features of another network.

    Attributes:
        channels: 3 of a picture.
        layout: "NCHW" or "NHWC".
        height: in pixels; None if the model takes any.
        width: in pixels; None if the model takes any.
    """

    channels: int
    layout: str
    height: int | None
    width: int | None

    @classmethod
    def from_shape(
        cls,
        shape: Sequence[int | None],
        path: Path,
        channels: int = PICTURE_CHANNELS,
        usual_layout: str = "NHWC",
    ) -> "PictureInput":
        """Recognise the layout of an input shape, in which None stands for any number.

        Args:
            shape: of the input.
            path: of the file, for the message.
            channels: that the input has.
            usual_layout: of the runtime, for a shape that could be of either.

        Raises:
            SeaformerError: it is not the shape of one picture, or of features with so many
                channels.
        """
        if len(shape) == 4 and shape[0] in (1, None):
            found = {
                "NHWC": (shape[3], cls(channels, "NHWC", shape[1], shape[2])),
                "NCHW": (shape[1], cls(channels, "NCHW", shape[2], shape[3])),
            }
            for layout in (usual_layout, *found):
                if found[layout][0] == channels:
                    return found[layout][1]
        shown = ", ".join("?" if side is None else str(side) for side in shape)
        what = "one picture" if channels == PICTURE_CHANNELS else "features of one picture"
        raise SeaformerError(
            f"'{path}' takes an input of shape [{shown}]. Allowed: {what}, "
            f"[1, height, width, {channels}] or [1, {channels}, height, width]."
        )

    def choose_size(
        self, options: Options, metadata: dict[str, Any] | None, path: Path
    ) -> tuple[int, int]:
        """Return height and width of the pictures to run.

        They are those of the file if it fixes them; else those asked for, those of the metadata or
        those of the task, whichever comes first.

        Raises:
            UsageError: another size is asked for than the file's own, or none is known.
        """
        wanted = options.input_size
        if self.height is not None and self.width is not None:
            if wanted not in (None, (self.height, self.width)):
                raise UsageError(
                    f"input size {wanted[0]}x{wanted[1]} does not fit '{path}', which takes "
                    f"{self.height}x{self.width} only. Leave the size out, or export another model."
                )
            return self.height, self.width
        if wanted is None and metadata is not None:
            shape = metadata["input"]["shape"]
            wanted = (shape[1], shape[2]) if self.layout == "NHWC" else (shape[2], shape[3])
        if wanted is None and options.task is not None:
            wanted = get_task(options.task).preprocessing.input_size
        if wanted is None:
            raise UsageError(
                f"'{path}' takes pictures of any size and does not say which to use. Give "
                "--input-size HEIGHTxWIDTH, or --task."
            )
        return self.height or wanted[0], self.width or wanted[1]


class Session(ABC):
    """A loaded model. Use it as a context manager, or call `close`.

    Attributes:
        metadata: what the export wrote about itself (`seaformer.runtimes.metadata`); None if the
            file does not come from us.
        layout: "NCHW" or "NHWC", of the input.
        input_shape: height and width of the input in pixels.
        channels: of the input; 3 of a picture.
        integer_input: what the file itself takes; None if real numbers.
        integer_output: what the file itself gives; None if real numbers, or class ids.
    """

    metadata: dict[str, Any] | None
    layout: str
    input_shape: tuple[int, int]
    channels: int
    integer_input: IntegerTensor | None = None
    integer_output: IntegerTensor | None = None

    def __init__(
        self,
        metadata: dict[str, Any] | None,
        layout: str,
        input_shape: tuple[int, int],
        channels: int = PICTURE_CHANNELS,
    ) -> None:
        self.metadata = metadata
        self.layout = layout
        self.input_shape = input_shape
        self.channels = channels

    def run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Run the model once.

        Args:
            x: float32 [1, channels, H, W] or [1, H, W, channels], as `layout` and `input_shape`
                say. Whether its values are 0..255 or normalised is for the caller to know.

        Returns:
            The model's output in its own shape; integers that stand for real numbers, as in fully
            quantised files, are converted to float32.

        Raises:
            UsageError: `x` has another dtype or shape.
            SeaformerError: the runtime fails.
        """
        is_first = self.layout == "NCHW"
        sides, channels = self.input_shape, self.channels
        shape = (1, channels, *sides) if is_first else (1, *sides, channels)
        if x.dtype != np.float32 or x.shape != shape:
            raise UsageError(
                f"the input is {x.dtype} {list(x.shape)}. Allowed: float32 {list(shape)}."
            )
        return self._run(x)

    @abstractmethod
    def _run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Run the model on an input that was checked."""

    @abstractmethod
    def close(self) -> None:
        """Free the model's memory; the session cannot run any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def input_channels(options: Options, metadata: dict[str, Any] | None) -> int:
    """Return how many channels a model's input has: as asked, as it says, or a picture's."""
    if options.channels is not None:
        return options.channels
    if metadata is None or metadata.get("kind") != FEATURES:
        return PICTURE_CHANNELS
    source = metadata["input"]
    return int(source["shape"][3 if source["layout"] == "NHWC" else 1])


def require_one_of_each(inputs: Sequence[Any], outputs: Sequence[Any], path: Path) -> None:
    """Check that a model takes one tensor and gives one.

    Raises:
        SeaformerError: it does not.
    """
    if len(inputs) != 1 or len(outputs) != 1:
        raise SeaformerError(
            f"'{path}' has {len(inputs)} inputs and {len(outputs)} outputs. Allowed: one of each."
        )


def reason(error: Exception) -> str:
    """Return what a runtime says went wrong, in one line and without its full stop."""
    return " ".join(str(error).split()).rstrip(".")
