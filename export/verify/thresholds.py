"""What a comparison has to reach: the thresholds of the precision, or PyTorch's own float32.

Weights can amplify rounding so much that PyTorch's float32 itself is further from float64 than a
threshold allows. A file that computes as well as PyTorch does is right, so there the threshold is
PyTorch's float32 on the same input, less a margin.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from seaformer.artifact.metadata import Comparison
from seaformer.artifact.precisions import Precision

MARGIN_DB = 3.0
"""A file may have twice the noise power of PyTorch's float32: it sums in another order."""

LOWEST_DB = 40.0
"""Below it PyTorch's float32 is no measure: the network cannot be computed in single precision."""


@dataclass(frozen=True)
class Threshold:
    """What a comparison has to reach.

    Attributes:
        sqnr_db: lowest SQNR in dB.
        agreement: lowest arg-max agreement, 0..1.
        is_of_float32: whether it comes from PyTorch's float32 and not from the precision.
    """

    sqnr_db: float
    agreement: float
    is_of_float32: bool

    def is_reached(self, comparison: Comparison) -> bool:
        """Whether a comparison reaches it in everything that it has."""
        sqnr, agreement = comparison.sqnr_db, comparison.argmax_agreement
        return (sqnr is None or sqnr >= self.sqnr_db) and (
            agreement is None or agreement >= self.agreement
        )

    def __str__(self) -> str:
        text = f"{self.sqnr_db:.4g} dB and {100 * self.agreement:.5g} %"
        return f"{text} (PyTorch's float32 - {MARGIN_DB:g} dB)" if self.is_of_float32 else text


def threshold_for(comparison: Comparison, precision: Precision) -> Threshold:
    """Return what a comparison has to reach in a precision.

    The share of positions that noise moves to another class grows with the noise's amplitude, and
    so does what is allowed.
    """
    usual = Threshold(precision.min_sqnr_db, precision.min_agreement, is_of_float32=False)
    own = comparison.pytorch_float32_sqnr_db
    if precision.is_quantized or own is None:
        return usual
    allowed = max(own - MARGIN_DB, LOWEST_DB)
    if allowed >= usual.sqnr_db:
        return usual
    moved = (1 - usual.agreement) * 10 ** ((usual.sqnr_db - allowed) / 20)
    return Threshold(allowed, 1 - moved, is_of_float32=True)


def lowest_threshold(comparisons: Iterable[Comparison], precision: Precision) -> Threshold:
    """The lowest of what the comparisons have to reach."""
    thresholds = (threshold_for(row, precision) for row in comparisons)
    return min(thresholds, key=lambda threshold: threshold.sqnr_db)


def passes(comparisons: Iterable[Comparison], precision: Precision) -> bool:
    """Whether every comparison reaches what it has to."""
    return all(threshold_for(row, precision).is_reached(row) for row in comparisons)
