"""A session of a model with one image as its input and one output, on real numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import Interface
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.session import Array, Closable, Session, check_input_size
from seaformer.tasks import Task, get_task

INPUT_DTYPES = ("float32", "float16", "int8", "uint8", "int16")


def find_layout(
    shape: Sequence[int | None],
    path: Path,
    channels: int = 3,
    usual_layout: str = "NHWC",
) -> str:
    """Return the layout of the input of an image, or of features: "NCHW" or "NHWC".

    In its shape, None stands for any size. `usual_layout` is that of the runtime, for ambiguous
    ones.

    Raises:
        SeaformerError: it is not the shape of one image, or of features with that many channels.
    """
    if len(shape) == 4 and shape[0] in (1, None):
        found = [layout for layout in ("NHWC", "NCHW") if shape[layout.index("C")] == channels]
        if found:
            return usual_layout if usual_layout in found else found[0]
    shown = ", ".join("?" if side is None else str(side) for side in shape)
    what = "one image" if channels in (1, 3) else "features of one image"
    raise SeaformerError(
        f"'{path}' takes an input of shape [{shown}]. Allowed: {what}, "
        f"[1, height, width, {channels}] or [1, {channels}, height, width]."
    )


def _channels(shape: Sequence[int | None], metadata: Interface | None) -> int:
    """Return the number of channels of an input: what the metadata say, else 3 or 1 of an image."""
    if metadata is not None:
        return metadata.input.channels
    ends = shape[1:4:2] if len(shape) == 4 else ()
    return 1 if 1 in ends and 3 not in ends else 3


def _choose_size(
    own: tuple[int | None, int | None],
    wanted: tuple[int, int] | None,
    metadata: Interface | None,
    task: str | Task | None,
    path: Path,
) -> tuple[int, int]:
    """Return the height and width to run a model at.

    They are the file's own if it fixes them; otherwise the first known of those wanted, those of
    the metadata and those of the task.

    Raises:
        UsageError: the file fixes another size than the wanted one, or no size is known.
    """
    height, width = own
    if height is not None and width is not None:
        if wanted not in (None, own):
            raise UsageError(
                f"input size {wanted[0]}x{wanted[1]} does not fit '{path}', which takes "
                f"{height}x{width} only. Leave the size out, or export another model."
            )
        return height, width
    if wanted is None and metadata is not None:
        wanted = metadata.input.size
    if wanted is None and task is not None:
        known = get_task(task) if isinstance(task, str) else task
        wanted = known.preprocessing.input_size
    if wanted is None:
        raise UsageError(
            f"'{path}' takes images of any size and does not say which to use. Give "
            "--input-size HEIGHTxWIDTH, or --task."
        )
    return height or wanted[0], width or wanted[1]


class ImageSession(Closable):
    """A loaded model with one image as its input. Use it as a context manager, or call `close`.

    Attributes:
        session: the model at the level of tensors.
        metadata: of the export, or the interface of a checkpoint; None for other files.
        layout: "NCHW" or "NHWC", of the input.
        input_shape: height and width of the input in pixels.
        channels: of the input; 3 for an image, 1 for a gray one.
    """

    def __init__(
        self,
        session: Session,
        task: str | Task | None = None,
        input_size: tuple[int, int] | None = None,
        channels: int | None = None,
    ) -> None:
        """Determine how a model takes an image; the arguments are as in `runtimes.open_model`.

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
        if channels is None:
            channels = _channels(source.shape, self.metadata)
        self.channels = channels
        usual_layout = "NHWC" if path.suffix.lower() == ".tflite" else "NCHW"
        self.layout = find_layout(source.shape, path, channels, usual_layout)
        first = self.layout.index("H")
        own = source.shape[first], source.shape[first + 1]
        self.input_shape = _choose_size(own, input_size, self.metadata, task, path)
        sides = self.input_shape
        self._shape = (1, channels, *sides) if self.layout == "NCHW" else (1, *sides, channels)
        check_input_size(self._shape, path)
        if None in source.shape:
            session.resize(self._shape)

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
        (output,) = self.run_many([x])
        return output

    def run_many(self, images: Sequence[npt.NDArray[np.float32]]) -> list[Array]:
        """Run the model on each image, as `run` does; a device gets them together."""
        found = self.session.run_many([[self._encode(x)] for x in images])
        return [self.session.outputs[0].decode(output) for (output,) in found]

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
