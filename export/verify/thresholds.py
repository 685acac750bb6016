"""Thresholds of a comparison, from the precision or from PyTorch's own float32.

Weights can amplify rounding so much that even PyTorch's float32 differs from float64 by more than
the threshold of the precision allows. A file that is as accurate as PyTorch is correct, so the
threshold is then the SQNR of PyTorch's float32 on the same input, minus a margin.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from seaformer.artifact.metadata import Comparison
from seaformer.artifact.precisions import Precision

MARGIN_DB = 3.0
"""A file may have twice the noise power of PyTorch's float32, because it sums in another order."""

LOWEST_DB = 40.0
"""If PyTorch's float32 is below this, the network cannot be computed in single precision."""


@dataclass(frozen=True)
class Threshold:
    """The minimum that a comparison has to reach.

    Attributes:
        sqnr_db: minimum SQNR in dB.
        agreement: minimum arg-max agreement, 0..1.
        is_of_float32: whether it is derived from PyTorch's float32 instead of the precision.
    """

    sqnr_db: float
    agreement: float
    is_of_float32: bool

    def is_reached(self, comparison: Comparison) -> bool:
        """Whether a comparison reaches it in every measure that it has."""
        sqnr, agreement = comparison.sqnr_db, comparison.argmax_agreement
        return (sqnr is None or sqnr >= self.sqnr_db) and (
            agreement is None or agreement >= self.agreement
        )

    def __str__(self) -> str:
        text = f"{self.sqnr_db:.4g} dB and {100 * self.agreement:.5g} %"
        return f"{text} (PyTorch's float32 - {MARGIN_DB:g} dB)" if self.is_of_float32 else text


def threshold_for(comparison: Comparison, precision: Precision) -> Threshold:
    """Return the threshold of a comparison in a precision.

    The share of positions that noise moves to another class grows with the amplitude of the noise,
    and the allowed share is scaled accordingly.
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
    """The lowest threshold of the comparisons."""
    thresholds = (threshold_for(row, precision) for row in comparisons)
    return min(thresholds, key=lambda threshold: threshold.sqnr_db)


def passes(comparisons: Iterable[Comparison], precision: Precision) -> bool:
    """Whether every comparison reaches its threshold."""
    return all(threshold_for(row, precision).is_reached(row) for row in comparisons)
