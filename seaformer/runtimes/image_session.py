"""A session of a model that takes one picture and gives one array, on real numbers."""

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
from seaformer.runtimes.session import Array, Session, check_input_size
from seaformer.tasks import get_task

INPUT_DTYPES = ("float32", "float16", "int8", "uint8", "int16")


@dataclass(frozen=True)
class ImageInput:
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
    ) -> "ImageInput":
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
        self,
        wanted: tuple[int, int] | None,
        metadata: dict[str, Any] | None,
        task: str | None,
        path: Path,
    ) -> tuple[int, int]:
        """Return height and width of the pictures to run.

        They are those of the file if it fixes them; else those asked for, those of the metadata or
        those of the task, whichever comes first.

        Raises:
            UsageError: another size is asked for than the file's own, or none is known.
        """
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
        if wanted is None and task is not None:
            wanted = get_task(task).preprocessing.input_size
        if wanted is None:
            raise UsageError(
                f"'{path}' takes pictures of any size and does not say which to use. Give "
                "--input-size HEIGHTxWIDTH, or --task."
            )
        return self.height or wanted[0], self.width or wanted[1]

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Shape of the input for a height and width."""
        return (1, self.channels, *size) if self.layout == "NCHW" else (1, *size, self.channels)


class ImageSession:
    """A loaded model of one picture. Use it as a context manager, or call `close`.

    Attributes:
        session: the model at the level of tensors.
        metadata: what the export wrote about itself (`seaformer.runtimes.metadata`); None if the
            file does not come from us.
        layout: "NCHW" or "NHWC", of the input.
        input_shape: height and width of the input in pixels.
        channels: of the input; 3 of a picture.
    """

    def __init__(
        self,
        session: Session,
        task: str | None = None,
        input_size: tuple[int, int] | None = None,
        channels: int | None = None,
    ) -> None:
        """Find out how the model takes a picture.

        Args:
            session: the open model.
            task: of a file that takes pictures of any size and says no size itself.
            input_size: height and width in pixels, for a model that takes any.
            channels: of the input, where it is no picture and the file does not say so.

        Raises:
            UsageError: an argument is missing or does not fit the file.
            SeaformerError: it is no model of one picture.
        """
        path = session.path
        if len(session.inputs) != 1 or len(session.outputs) != 1:
            raise SeaformerError(
                f"'{path}' has {len(session.inputs)} inputs and {len(session.outputs)} outputs. "
                "Allowed: one of each."
            )
        source = session.inputs[0]
        if source.dtype not in INPUT_DTYPES:
            raise SeaformerError(
                f"'{path}' takes an input of type {source.dtype}. Allowed: "
                f"{', '.join(INPUT_DTYPES)}."
            )
        self.session = session
        self.metadata = session.metadata
        usual_layout = "NHWC" if path.suffix.lower() == ".tflite" else "NCHW"
        picture = ImageInput.from_shape(
            source.shape, path, channels or _channels(self.metadata), usual_layout
        )
        self.layout, self.channels = picture.layout, picture.channels
        self.input_shape = picture.choose_size(input_size, self.metadata, task, path)
        self._shape = picture.shape(self.input_shape)
        check_input_size(self._shape, path)
        if None in source.shape:
            session.resize(self._shape)

    @property
    def integer_input(self) -> IntegerTensor | None:
        """What the integers that the file itself takes stand for; None if it takes others."""
        return self.session.inputs[0].integers

    @property
    def integer_output(self) -> IntegerTensor | None:
        """What the integers that the file itself gives stand for; None if it gives others."""
        return self.session.outputs[0].integers

    def run(self, x: npt.NDArray[np.float32]) -> Array:
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
        (output,) = self.session.run([self._encode(x)])
        return self.session.outputs[0].decode(output)

    def time_ms(self, x: npt.NDArray[np.float32], runs: int) -> list[float]:
        """Run the model several times; return the milliseconds of each, as `Session.time_ms` does.

        Converting real numbers to integers and back is not in them: a camera gives integers.

        Raises:
            UsageError, SeaformerError: as `run`.
        """
        return self.session.time_ms([self._encode(x)], runs)

    def fetch(self, key: str, x: npt.NDArray[np.float32]) -> Array:
        """Run the model once; return an intermediate tensor, see `Session.fetch`."""
        (tensor,) = self.session.fetch([key], [self._encode(x)])
        return tensor

    def _encode(self, x: npt.NDArray[np.float32]) -> Array:
        if x.dtype != np.float32 or x.shape != self._shape:
            raise UsageError(
                f"the input is {x.dtype} {list(x.shape)}. Allowed: float32 {list(self._shape)}."
            )
        return self.session.inputs[0].encode(x)

    def close(self) -> None:
        """Free the model's memory; the session cannot run any more."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _channels(metadata: dict[str, Any] | None) -> int:
    """Return how many channels a model's input has: as it says, or a picture's."""
    if metadata is None or metadata.get("kind") != FEATURES:
        return PICTURE_CHANNELS
    source = metadata["input"]
    return int(source["shape"][3 if source["layout"] == "NHWC" else 1])
