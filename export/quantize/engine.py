"""The interface of a quantizer, which sensitivity and mixed precision use for all formats."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from seaformer.artifact.metadata import MappedOperator, Scale
from seaformer.artifact.precisions import PRECISIONS
from seaformer.quantization.ranges import Activation


class Port(NamedTuple):
    """The input or output of a quantized file; `scale` is None for floating-point values."""

    dtype: str
    scale: Scale | None


def operators_inside(modules: Iterable[str], operators: Iterable[MappedOperator]) -> frozenset[int]:
    """Indices of the operators in some modules, given by path, and in their submodules."""
    inside = tuple(f"{module}." for module in modules)
    return frozenset(one.index for one in operators if f"{one.module}.".startswith(inside))


def left_alone(engine: "Engine", precision: str, kept: Collection[int]) -> frozenset[int]:
    """Indices of the operators that are not quantized like the rest in a precision."""
    row = PRECISIONS[precision]
    always: frozenset[int] = frozenset()
    if row.keeps_16_bits:
        always = engine.unequal
    elif row.is_calibrated and row.has_float:
        always = engine.always_float
    return always | frozenset(kept)


class Engine(Protocol):
    """Quantizes one single-precision file; calibrated once, then cheap to call repeatedly.

    Attributes:
        title: name and version of the quantizer.
        operators: operators of the single-precision file, with their modules.
        always_float: indices of operators that always stay in floating point in int8 and
            int4-weights.
        unequal: those of `always_float` whose tensors join values of very different ranges, which
            a single 8-bit scale cannot represent; they have 16-bit activations in w8a8.
        producers: name of each computed activation -> index of its operator.
        consumed: names of the activations that each operator takes, by its index.
        ranges: smallest and largest value of each activation, by name; must be set before
            quantizing to a calibrated precision.
    """

    title: str
    operators: Sequence[MappedOperator]
    always_float: frozenset[int]
    unequal: frozenset[int]
    producers: Mapping[str, int]
    consumed: Sequence[Sequence[str]]
    ranges: Mapping[str, tuple[float, float]]

    def observe(self, inputs: Iterable[np.ndarray]) -> dict[str, Activation]:
        """Run the file on images and return the statistics of every activation.

        The images are float32 [1, 3, H, W], preprocessed for the file except for its layout.

        Raises:
            SeaformerError: a value is not finite.
        """
        ...

    def quantize(self, precision: str, kept: Collection[int] = ()) -> bytes:
        """Return the file quantized to the named precision.

        `kept` are the indices of operators to keep as in `Precision.kept_as`: at 16 bits in
        addition to `unequal`, or in floating point in addition to `always_float`. Their weights are
        then stored in half precision, unless the file is for an NPU.
        """
        ...

    def map_operators(self, quantized: bytes) -> list[MappedOperator]:
        """Map the operators of a file that `quantize` returned."""
        ...

    def float_operators(self, quantized: bytes, precision: str) -> list[int]:
        """Indices of the floating-point operators in a file that `quantize` returned."""
        ...

    def wide_operators(self, quantized: bytes) -> list[int]:
        """Indices of the operators with 16-bit activations in a file that `quantize` returned."""
        ...

    def ports(self, quantized: bytes) -> tuple[Port, Port]:
        """The input and the output of a file that `quantize` returned."""
        ...
