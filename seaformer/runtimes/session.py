"""The interface of all runtimes: a loaded model with raw tensors as inputs and outputs."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seaformer.artifact.beside import read_beside
from seaformer.artifact.metadata import Interface, Scale, parse_metadata
from seaformer.errors import SeaformerError
from seaformer.terminal import printable

Array = npt.NDArray[Any]

MAX_VALUES = 1 << 28
"""Largest number of values of one input: an image of 8192x8192 has fewer."""

MAX_REASON = 600
"""Maximum length of a runtime's error message: some include the whole call stack."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        dtype: name of the NumPy dtype.
        shape: sizes of its axes; None for an axis of any size.
        integers: scale of quantized values; None for all other values.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    integers: Scale | None = None

    def encode(self, values: npt.NDArray[np.float32]) -> Array:
        """Convert floating-point values to the dtype of the tensor, rounding to integers.

        Without a scale, values are rounded to the nearest integers.
        """
        dtype = np.dtype(self.dtype)
        if dtype.kind not in "iu":
            return np.ascontiguousarray(values.astype(dtype, copy=False))
        stored, limits = self.integers or Scale(scale=1.0, zero_point=0), np.iinfo(dtype)
        integers = np.round(values / stored.scale) + stored.zero_point
        return np.ascontiguousarray(np.clip(integers, limits.min, limits.max).astype(dtype))

    def decode(self, values: Array) -> Array:
        """Convert values of the tensor to float32; integers without a scale are unchanged."""
        if self.integers is not None:
            shifted = values.astype(np.float32) - np.float32(self.integers.zero_point)
            return shifted * np.float32(self.integers.scale)
        return values.astype(np.float32) if values.dtype == np.float16 else values


class Closable(ABC):
    """Base class of objects that are used as context managers or closed with `close`."""

    @abstractmethod
    def close(self) -> None:
        """Free the memory of the model; after this, the session cannot run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session(Closable):
    """A loaded model. Use it as a context manager, or call `close`.

    Inputs and outputs have the dtypes of the model; `Tensor.encode` and `decode` convert them.

    Attributes:
        path: path of the file.
        runtime: name and version of the runtime.
        inputs: inputs of the model, in order.
        outputs: outputs of the model, in order. Axes whose size depends on the input are None, or
            have the size before `resize`.
        metadata_text: JSON embedded in the file; None if it has none.
        place: the device that runs it; "" for the host.
        remark: message for the user about the last run; may be empty.
    """

    path: Path
    runtime: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata_text: str | None = None
    place: str = ""
    remark: str = ""

    @cached_property
    def metadata(self) -> Interface | None:
        """`Metadata` of an exported file, embedded or next to it; None if there is none.

        Raises:
            SeaformerError: the metadata is damaged.
        """
        if self.metadata_text is not None:
            return parse_metadata(self.metadata_text, f"'{self.path}'")
        return read_beside(self.path)

    @abstractmethod
    def resize(self, shape: Sequence[int]) -> None:
        """Fix the shape of the first input, which may have axes of any size.

        Raises:
            SeaformerError: the runtime cannot compute it.
        """

    @abstractmethod
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once on one array per input; return one array per output.

        Raises:
            SeaformerError: the runtime fails, or the session is closed.
        """

    def run_many(self, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """Run on each of several samples, as `run` does; a device gets them together."""
        return [self.run(inputs) for inputs in samples]

    def cannot_run(self, error: Exception) -> SeaformerError:
        """Return the error for an exception of the runtime."""
        program, _, _ = self.runtime.rpartition(" ")
        return SeaformerError(f"{program} cannot run '{self.path}': {reason(error)}.")

    def closed(self) -> SeaformerError:
        """Return the error for a closed session."""
        return SeaformerError(f"'{self.path}' is closed. Open it again.")

    def no_operator(self, operator: int, count: int) -> SeaformerError:
        """Return the error for an operator that the file does not have."""
        return SeaformerError(
            f"'{self.path}' has {count} operators, but its metadata refer to operator {operator}. "
            "Export the model again."
        )

    def time_ms(self, inputs: Sequence[Array], runs: int) -> list[float]:
        """Run several times without warm-up; return the milliseconds of each run.

        Raises:
            SeaformerError: as `run`.
        """
        times = []
        for _ in range(runs):
            start = perf_counter()
            self.run(inputs)
            times.append(1000 * (perf_counter() - start))
        return times

    def computed_by(self, operator: int) -> str:  # noqa: ARG002
        """Return the key, for `fetch`, of the first tensor that an operator computes.

        Raises:
            SeaformerError: there is no such operator, or the runtime returns only outputs.
        """
        raise self._outputs_only()

    def fetch(
        self,
        keys: Sequence[str],  # noqa: ARG002
        inputs: Sequence[Array],  # noqa: ARG002
    ) -> list[Array]:
        """Run once without optimizations that remove tensors; return intermediate tensors.

        Keys are names of tensors in an .onnx, their numbers in a .tflite, and paths of modules in a
        checkpoint. Integers with a single scale are converted to float32.

        Raises:
            SeaformerError: as `run`, a tensor does not exist, or the runtime returns only outputs.
        """
        raise self._outputs_only()

    def _outputs_only(self) -> SeaformerError:
        return SeaformerError(
            f"{self.runtime} provides no intermediate tensors. Use the accelerator 'cpu'."
        )


def check_input_size(shape: Sequence[int], path: Path) -> None:
    """Refuse an input shape, as stated by a file, that would exhaust memory.

    Raises:
        SeaformerError: the shape has more than `MAX_VALUES` values, or an axis below 1.
    """
    if min(shape, default=1) < 1 or math.prod(shape) > MAX_VALUES:
        raise SeaformerError(
            f"'{path}' takes an input of shape {list(shape)}. Allowed: 1 to {MAX_VALUES:,} values. "
            "Export it for a smaller size."
        )


def reason(error: Exception) -> str:
    """Return the message of a runtime's error in one line, without a final full stop."""
    return one_line(str(error)).rstrip(".") or "no reason given, possibly a lack of memory"


def one_line(text: str, limit: int = MAX_REASON) -> str:
    """Make untrusted text safe to print: one line of at most `limit` printable characters."""
    return printable(" ".join(text.split()))[:limit]
