"""How far a tensor may be from the reference before an operator is blamed for it."""

from dataclasses import dataclass

import numpy as np

from seaformer.cutting.graph_description import GraphTensor
from seaformer.evaluation.metrics import sqnr_db
from seaformer.runtimes.session import Array


@dataclass(frozen=True)
class Tolerance:
    """What counts as the same.

    Attributes:
        min_db: of real numbers: signal to noise ratio.
        max_quanta: of integers with a scale: largest difference; None to judge them as the real
            numbers they stand for.
        min_share: of other integers and booleans: share of values that are equal.
    """

    min_db: float
    max_quanta: int | None
    min_share: float


EXACT = Tolerance(min_db=60.0, max_quanta=3, min_share=0.995)
"""Of one operator, or of a file of floating point. Two single-precision kernels that sum in another
order agree to 100 dB and more, and what was seen of wrong ones is below 45 dB. Integer kernels
round halves in different ways, and those with tables or several steps do it more than once. Class
ids may differ where two classes are equally likely."""

HYBRID = Tolerance(min_db=25.0, max_quanta=3, min_share=0.98)
"""Of an operator of real numbers with integer weights: the reference rounds the numbers to 8 bits
before it multiplies, which others need not."""

HALF = Tolerance(min_db=45.0, max_quanta=3, min_share=0.995)
"""Of floating point on an NPU, which computes it in half precision: one operator was seen at 58 dB,
as was a whole file."""

HALF_CHAIN = Tolerance(min_db=30.0, max_quanta=3, min_share=0.98)
"""Of a chain of operators in half precision, each of which rounds: whole files were seen at 38.9 dB
and more, what follows an operator at fault at 28 dB and less, its own result at 2 dB."""

WIDE = Tolerance(min_db=30.0, max_quanta=None, min_share=0.995)
"""Of 16-bit integers on an NPU: Qualcomm's rounds the second factor of a product of two activations
to 8 bits, which was seen at 36 dB."""

ACCUMULATED = Tolerance(min_db=20.0, max_quanta=None, min_share=0.97)
"""Of a chain of quantized operators: each rounds what the one before has rounded differently, so
that good files were seen at 24 dB. Such a chain proves little; its operators are judged singly."""

NOTHING = 1e-6
"""Of the largest input: below it, values stand for zero where the reference is all zeros."""


@dataclass(frozen=True)
class Difference:
    """A tensor of a target against that of the reference.

    Attributes:
        value: dB, quanta or share, as `unit` says.
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
        """Larger for worse ones, those beyond their tolerance first."""
        return not self.agrees, self.value if self.unit == "quanta" else -self.value


def compare(
    tensor: GraphTensor, reference: Array, found: Array, scale: float, tolerance: Tolerance
) -> Difference:
    """Compare one tensor.

    Args:
        tensor: which it is.
        reference: its values as they are stored.
        found: those of the target, of the same type.
        scale: the largest value that it was computed from.
        tolerance: what counts as the same.
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
    # An infinity or NaN is right where the reference has the same.
    counts = np.isfinite(reference)
    if not np.array_equal(reference[~counts], found[~counts], equal_nan=True):
        return -300.0
    reference, found = reference[counts], found[counts]
    if not reference.any() and np.abs(found).max(initial=0.0) <= NOTHING * max(1.0, scale):
        return 300.0
    return sqnr_db(reference, found)
