"""A session of a model with one image as its input and one output, on real numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import FEATURES, Interface
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.integers import IntegerTensor
from seaformer.runtimes.session import Array, Closable, Session, check_input_size
from seaformer.tasks import IMAGE_CHANNELS, get_task

INPUT_DTYPES = ("float32", "float16", "int8", "uint8", "int16")


@dataclass(frozen=True)
class ImageInput:
    """The single input of a model: an image, or features from another network.

    Attributes:
        channels: 3 for an image.
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
        channels: int = IMAGE_CHANNELS,
        usual_layout: str = "NHWC",
    ) -> "ImageInput":
        """Determine the layout of an input shape, in which None stands for any size.

        Args:
            shape: of the input.
            path: of the file, for error messages.
            channels: of the input.
            usual_layout: of the runtime, for ambiguous shapes.

        Raises:
            SeaformerError: it is not the shape of one image, or of features with that many
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
        what = "one picture" if channels == IMAGE_CHANNELS else "features of one picture"
        raise SeaformerError(
            f"'{path}' takes an input of shape [{shown}]. Allowed: {what}, "
            f"[1, height, width, {channels}] or [1, {channels}, height, width]."
        )

    def choose_size(
        self,
        wanted: tuple[int, int] | None,
        metadata: Interface | None,
        task: str | None,
        path: Path,
    ) -> tuple[int, int]:
        """Return the height and width to run the model at.

        They are the file's own if it fixes them; otherwise the first known of those wanted, those
        of the metadata and those of the task.

        Raises:
            UsageError: the file fixes another size than the wanted one, or no size is known.
        """
        if self.height is not None and self.width is not None:
            if wanted not in (None, (self.height, self.width)):
                raise UsageError(
                    f"input size {wanted[0]}x{wanted[1]} does not fit '{path}', which takes "
                    f"{self.height}x{self.width} only. Leave the size out, or export another model."
                )
            return self.height, self.width
        if wanted is None and metadata is not None:
            wanted = metadata.input.size
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


class ImageSession(Closable):
    """A loaded model with one image as its input. Use it as a context manager, or call `close`.

    Attributes:
        session: the model at the level of tensors.
        metadata: of the export, or the interface of a checkpoint; None for other files.
        layout: "NCHW" or "NHWC", of the input.
        input_shape: height and width of the input in pixels.
        channels: of the input; 3 for an image.
    """

    def __init__(
        self,
        session: Session,
        task: str | None = None,
        input_size: tuple[int, int] | None = None,
        channels: int | None = None,
    ) -> None:
        """Determine how the model takes an image.

        Args:
            session: the open model.
            task: for a file that takes images of any size and states none.
            input_size: height and width in pixels, for a model that takes any.
            channels: of the input, where it is not an image and the metadata does not state it.

        Raises:
            UsageError: an argument is missing or does not fit the file.
            SeaformerError: the model does not take one image.
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
                specify. Whether its values are 0..255 or normalised is up to the caller.

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

        Conversion between real numbers and integers is not included: a camera yields integers.

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


def _channels(metadata: Interface | None) -> int:
    """Return the number of input channels by the metadata, or that of an image."""
    if metadata is None or metadata.kind != FEATURES:
        return IMAGE_CHANNELS
    return metadata.input.channels
