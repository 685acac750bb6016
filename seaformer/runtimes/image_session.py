"""A session of a model with one image as input and one output, both as floating-point values."""

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
    """Return the layout, "NCHW" or "NHWC", of an input shape of an image or features.

    In `shape`, None stands for any size. `usual_layout`, the runtime's layout, resolves ambiguity.

    Raises:
        SeaformerError: it is not the shape of one image, or of features with this many channels.
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
    """Return the number of input channels: from the metadata, or else 3 or 1 for an image."""
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

    A fixed size of the file has priority; otherwise the requested size, the size in the metadata
    or the task's size is used, in this order.

    Raises:
        UsageError: the file has a fixed size that differs from the requested one, or no size is
            known.
    """
    height, width = own
    if height is not None and width is not None:
        if wanted not in (None, own):
            raise UsageError(
                f"input size {wanted[0]}x{wanted[1]} does not fit '{path}', which only takes "
                f"{height}x{width}. Omit the size, or export another model."
            )
        return height, width
    if wanted is None and metadata is not None:
        wanted = metadata.input.size
    if wanted is None and task is not None:
        known = get_task(task) if isinstance(task, str) else task
        wanted = known.preprocessing.input_size
    if wanted is None:
        raise UsageError(
            f"'{path}' takes images of any size. Give --input-size HEIGHTxWIDTH, or --task."
        )
    return height or wanted[0], width or wanted[1]


class ImageSession(Closable):
    """A loaded model whose input is one image. Use it as a context manager, or call `close`.

    Attributes:
        session: the session for raw tensors.
        metadata: metadata of an exported file, or interface of a checkpoint; None for other files.
        layout: layout of the input, "NCHW" or "NHWC".
        input_shape: height and width of the input in pixels.
        channels: number of input channels; 3 for a color image, 1 for a gray image.
    """

    def __init__(
        self,
        session: Session,
        task: str | Task | None = None,
        input_size: tuple[int, int] | None = None,
        channels: int | None = None,
    ) -> None:
        """Determine layout and size of the input; the arguments are as in `runtimes.open_model`.

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
                specify. Whether its values are 0..255 or normalized is up to the caller.

        Returns:
            The output in its own shape; quantized integers are converted to float32.

        Raises:
            UsageError: `x` has another dtype or shape.
            SeaformerError: the runtime fails.
        """
        (output,) = self.run_many([x])
        return output

    def run_many(self, images: Sequence[npt.NDArray[np.float32]]) -> list[Array]:
        """Run the model on each image, as `run` does; a device receives all images at once."""
        found = self.session.run_many([[self._encode(x)] for x in images])
        return [self.session.outputs[0].decode(output) for (output,) in found]

    def time_ms(self, x: npt.NDArray[np.float32], runs: int) -> list[float]:
        """Run the model several times; return each run's milliseconds, like `Session.time_ms`.

        Conversion between floating point and integers is not included: a camera yields integers.

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
        """Free the memory of the model; after this, the session cannot run."""
        self.session.close()
