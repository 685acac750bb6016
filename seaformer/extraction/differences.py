"""Comparison of a tensor with the reference, and the tolerances for blaming an operator."""

from dataclasses import dataclass

import numpy as np

from seaformer.evaluation.metrics import sqnr_db
from seaformer.extraction.graph_description import GraphTensor
from seaformer.runtimes.session import Array


@dataclass(frozen=True)
class Tolerance:
    """Tolerance for tensors to count as equal.

    Attributes:
        min_db: for floating point: lowest signal-to-noise ratio.
        max_quanta: for quantized integers: largest difference; None to compare them as dequantized
            values.
        min_share: for other integers and booleans: lowest share of equal values.
    """

    min_db: float
    max_quanta: int | None
    min_share: float


EXACT = Tolerance(min_db=60.0, max_quanta=3, min_share=0.995)
"""For one operator, or a floating-point file. Two single-precision kernels that sum in a different
order agree to at least 100 dB; wrong kernels were observed below 45 dB. Integer kernels round
halves differently, and those with tables or several steps do so more than once. Class indices may
differ if two classes are equally likely."""

HYBRID = Tolerance(min_db=25.0, max_quanta=3, min_share=0.98)
"""For a floating-point operator with integer weights: the reference rounds activations to 8 bits
before it multiplies; other implementations may not."""

HALF = Tolerance(min_db=45.0, max_quanta=3, min_share=0.995)
"""For floating point on an NPU, which computes in half precision: both a single operator and a
whole file were observed at 58 dB."""

HALF_CHAIN = Tolerance(min_db=30.0, max_quanta=3, min_share=0.98)
"""For a chain of operators in half precision, each of which rounds: whole files were observed at
38.9 dB or more, operators after a wrong one at 28 dB or less, and the wrong one itself at 2 dB."""

WIDE = Tolerance(min_db=30.0, max_quanta=None, min_share=0.995)
"""For 16-bit integers on an NPU: Qualcomm's NPUs round the second factor of a product of two
activations to 8 bits, which was observed at 36 dB."""

ACCUMULATED = Tolerance(min_db=20.0, max_quanta=None, min_share=0.97)
"""For a chain of quantized operators: rounding differences accumulate, and correct files were
observed at 24 dB. Such a chain proves little; its operators are judged individually."""

NOTHING = 1e-6
"""Values below this share of the largest input count as zero if the reference is all zeros."""


@dataclass(frozen=True)
class Difference:
    """Difference between a tensor of a target and the reference.

    Attributes:
        value: value in `unit`.
        unit: "dB", "quanta" or "% equal".
        agrees: whether it is within the tolerance.
    """

    value: float
    unit: str
    agrees: bool

    def __str__(self) -> str:
        if self.unit == "dB" and abs(self.value) >= 300:
            return "no difference" if self.value > 0 else "not finite"
        return f"{self.value:.4g} {self.unit}" if self.unit != "dB" else f"{self.value:.1f} dB"

    @property
    def badness(self) -> tuple[bool, float]:
        """Sort key: larger for worse tensors, and largest for those beyond their tolerance."""
        return not self.agrees, self.value if self.unit == "quanta" else -self.value


def compare(
    tensor: GraphTensor, reference: Array, found: Array, scale: float, tolerance: Tolerance
) -> Difference:
    """Compare one tensor.

    Args:
        tensor: description of the tensor.
        reference: stored values of the reference.
        found: stored values of the target, of the same type.
        scale: largest value that the tensor was computed from.
        tolerance: the tolerance.
    """
    if found.shape != reference.shape:
        if found.size != reference.size:
            return Difference(-300.0, "dB", False)
        found = found.reshape(reference.shape)
    integers = tensor.integers
    if integers is not None and tolerance.max_quanta is not None:
        apart = np.abs(reference.astype(np.int64) - found.astype(np.int64))
        quanta = float(apart.max(initial=0))
        return Difference(quanta, "quanta", quanta <= tolerance.max_quanta)
    if integers is None and reference.dtype.kind in "iub":
        share = float(np.mean(reference == found)) if reference.size else 1.0
        return Difference(100 * share, "% equal", share >= tolerance.min_share)
    if integers is not None:
        reference, found = tensor.port.decode(reference), tensor.port.decode(found)
    decibels = _decibels(reference.astype(np.float64), found.astype(np.float64), scale)
    return Difference(decibels, "dB", decibels >= tolerance.min_db)


def _decibels(reference: Array, found: Array, scale: float) -> float:
    # An infinity or NaN is correct if the reference has the same.
    counts = np.isfinite(reference)
    if not np.array_equal(reference[~counts], found[~counts], equal_nan=True):
        return -300.0
    reference, found = reference[counts], found[counts]
    if not reference.any() and np.abs(found).max(initial=0.0) <= NOTHING * max(1.0, scale):
        return 300.0
    return sqnr_db(reference, found)
