"""The interface of all runtimes: a loaded model at the level of tensors."""

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
"""Characters kept of a runtime's error message: some list their whole call stack."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        dtype: as NumPy calls it.
        shape: sizes of its axes; None for an axis that may have any.
        integers: what its integers stand for; None if they, or real numbers, are meant as such.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    integers: Scale | None = None

    def encode(self, values: npt.NDArray[np.float32]) -> Array:
        """Convert real numbers to the model's type: integers to the nearest that it has.

        Those without a scale stand for themselves.
        """
        dtype = np.dtype(self.dtype)
        if dtype.kind not in "iu":
            return np.ascontiguousarray(values.astype(dtype, copy=False))
        stored, limits = self.integers or Scale(scale=1.0, zero_point=0), np.iinfo(dtype)
        integers = np.round(values / stored.scale) + stored.zero_point
        return np.ascontiguousarray(np.clip(integers, limits.min, limits.max).astype(dtype))

    def decode(self, values: Array) -> Array:
        """Convert values of the model's type to float32; integers without a scale are kept."""
        if self.integers is not None:
            shifted = values.astype(np.float32) - np.float32(self.integers.zero_point)
            return shifted * np.float32(self.integers.scale)
        return values.astype(np.float32) if values.dtype == np.float16 else values


class Closable(ABC):
    """Something to use as a context manager, or to `close`."""

    @abstractmethod
    def close(self) -> None:
        """Free the model's memory; the session cannot run any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session(Closable):
    """A loaded model. Use it as a context manager, or call `close`.

    Arrays go in and out as the model has them; `Tensor.encode` and `decode` convert them.

    Attributes:
        path: of the file.
        runtime: what runs the model, with its version.
        inputs: what the model takes, in its order.
        outputs: what it returns. Axes whose size depends on the input are None, or have the size
            before `resize`.
        metadata_text: JSON embedded in the file; None if it has none.
        place: the device that runs it, if that is not the host; else "".
        remark: what a user should know of how it ran; known after a run, and may be empty.
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
        """Of an export its `Metadata`, embedded or beside the file; None if it has none.

        Raises:
            SeaformerError: it is damaged.
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
        """Run once on an array for each of `self.inputs`, and return one for each output.

        Raises:
            SeaformerError: the runtime fails, or the session is closed.
        """

    def run_many(self, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """Run on each of several samples, as `run` does; a device gets them together."""
        return [self.run(inputs) for inputs in samples]

    def cannot_run(self, error: Exception) -> SeaformerError:
        """Return the error for what the runtime raised."""
        program, _, _ = self.runtime.rpartition(" ")
        return SeaformerError(f"{program} cannot run '{self.path}': {reason(error)}.")

    def closed(self) -> SeaformerError:
        """Return the error for a session that is closed."""
        return SeaformerError(f"'{self.path}' is closed. Open it again.")

    def no_operator(self, operator: int, count: int) -> SeaformerError:
        """Return the error for an operator beyond those of the file."""
        return SeaformerError(
            f"'{self.path}' has {count} operators, but its metadata name one with the number "
            f"{operator}. Export the model again."
        )

    def time_ms(self, inputs: Sequence[Array], runs: int) -> list[float]:
        """Run several times; return the milliseconds of each, without warming up.

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
            SeaformerError: the file has fewer, or the runtime keeps outputs only.
        """
        raise self._outputs_only()

    def fetch(
        self,
        keys: Sequence[str],  # noqa: ARG002
        inputs: Sequence[Array],  # noqa: ARG002
    ) -> list[Array]:
        """Run once without optimizations that remove tensors; return intermediate tensors.

        Keys are the names of tensors in an .onnx, their numbers in a .tflite, the paths of modules
        in a checkpoint. Integers that have one scale come as the real numbers they stand for.

        Raises:
            SeaformerError: as `run`, a tensor does not exist, or the runtime keeps outputs only.
        """
        raise self._outputs_only()

    def _outputs_only(self) -> SeaformerError:
        return SeaformerError(
            f"{self.runtime} keeps no intermediate tensors. Use the accelerator 'cpu'."
        )


def check_input_size(shape: Sequence[int], path: Path) -> None:
    """Refuse an input shape, which a file may claim, that would exhaust the memory.

    Raises:
        SeaformerError: it has more than `MAX_VALUES` values, or an axis below 1.
    """
    if min(shape, default=1) < 1 or math.prod(shape) > MAX_VALUES:
        raise SeaformerError(
            f"'{path}' takes an input of shape {list(shape)}. Allowed: 1 to {MAX_VALUES:,} values. "
            "Export it for a smaller size."
        )


def reason(error: Exception) -> str:
    """Return the message of a runtime's error, in one line and without its full stop."""
    return one_line(str(error)).rstrip(".") or "it gives no reason, as when memory is short"


def one_line(text: str, limit: int = MAX_REASON) -> str:
    """Make a foreign text safe to print: one line of printable characters, at most `limit`."""
    return printable(" ".join(text.split()))[:limit]
