"""Registry of the methods that choose the range of an activation.

A range that covers all values spends integers on rare values; a narrower range saturates them. The
methods differ in which values they saturate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Protocol

PERCENTILE = 99.99


class Seen(Protocol):
    """Statistics of the values of an activation, see `seaformer.quantization.ranges`.

    Attributes:
        lows: smallest value of each image.
        highs: largest value of each image.
    """

    lows: list[float]
    highs: list[float]

    def percentile(self, share: float) -> tuple[float, float]:
        """Return the range that covers a share of the values."""

    def least_squares(self) -> tuple[float, float]:
        """Return the range with the least squared error of rounding and saturation."""


@dataclass(frozen=True)
class Method:
    """A way to choose a range.

    Attributes:
        name: value of --calibration-method.
        choose: statistics -> smallest and largest value of the range.
        description: one sentence for tables.
    """

    name: str
    choose: Callable[[Seen], tuple[float, float]]
    description: str


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                "average",
                lambda seen: (fmean(seen.lows), fmean(seen.highs)),
                "Means over the images of the smallest and the largest value.",
            ),
            Method(
                "min-max",
                lambda seen: (min(seen.lows), max(seen.highs)),
                "Smallest and largest value of all images.",
            ),
            Method(
                "percentile",
                lambda seen: seen.percentile(PERCENTILE / 100),
                f"Saturates the {100 - PERCENTILE:.2g} % most extreme values.",
            ),
            Method(
                "mse",
                lambda seen: seen.least_squares(),
                "Minimizes the mean squared error of rounding and saturation.",
            ),
        )
    }
)
