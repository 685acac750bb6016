"""What every quantizer offers, so that blame and mixed precision work for each format alike."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from seaformer.artifact.metadata import MappedOperator, Scale
from seaformer.export.quantize.ranges import Activation


class Port(NamedTuple):
    """The input or the output of a quantized file; `scale` is None where it holds real values."""

    dtype: str
    scale: Scale | None


class Engine(Protocol):
    """Quantizes one single-precision file; calibrated once, then cheap to call again.

    Attributes:
        title: the quantizer and its version.
        operators: of the single-precision file, with their modules.
        always_float: indices of operators that stay in floating point in int8 whatever is asked.
        producers: name of each activation that an operator computes -> the operator's index.
        ranges: smallest and largest value of each activation, by name; to be set before quantizing
            in a precision that is calibrated.
    """

    title: str
    operators: Sequence[MappedOperator]
    always_float: frozenset[int]
    producers: Mapping[str, int]
    ranges: Mapping[str, tuple[float, float]]

    def observe(self, inputs: Iterable[np.ndarray]) -> dict[str, Activation]:
        """Run the file on images and return what was seen of every activation.

        The images are float32 [1, 3, H, W], as the file takes them but for the layout.

        Raises:
            SeaformerError: a value is not finite.
        """
        ...

    def quantize(self, precision: str, kept: Collection[int] = ()) -> bytes:
        """Return the file quantized to a precision, by its name.

        `kept` are the indices of operators that stay as `Precision.kept_as` says: at 16 bits, or in
        floating point besides `always_float`. Their weights are stored in half precision then,
        unless the file is for an NPU.
        """
        ...

    def map_operators(self, quantized: bytes) -> list[MappedOperator]:
        """Map the operators of a file that `quantize` returned."""
        ...

    def float_operators(self, quantized: bytes, precision: str) -> list[int]:
        """Indices of the operators that compute in floating point in a file of `quantize`."""
        ...

    def wide_operators(self, quantized: bytes) -> list[int]:
        """Indices of the operators with 16-bit activations in a file of `quantize`."""
        ...

    def ports(self, quantized: bytes) -> tuple[Port, Port]:
        """The input and the output of a file that `quantize` returned."""
        ...
