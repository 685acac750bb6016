"""How the range of an activation is chosen: the one table of methods.

A range that holds every value spends its steps on rare ones; one that cuts off rare values
saturates them. The methods differ in what they cut.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Protocol

PERCENTILE = 99.99


class Seen(Protocol):
    """What is known of the values of an activation, see `seaformer.export.quantize.ranges`.

    Attributes:
        lows: smallest value of each image.
        highs: largest value of each image.
    """

    lows: list[float]
    highs: list[float]

    def percentile(self, share: float) -> tuple[float, float]:
        """Return the range that holds a share of the values."""

    def least_squares(self) -> tuple[float, float]:
        """Return the range whose rounding and saturation cost least."""


@dataclass(frozen=True)
class Method:
    """A way to choose a range.

    Attributes:
        name: as given to --calibration-method.
        choose: what was seen -> smallest and largest value of the range.
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
                "Mean over the images of their smallest and of their largest value.",
            ),
            Method(
                "min-max",
                lambda seen: (min(seen.lows), max(seen.highs)),
                "Smallest and largest value of all images.",
            ),
            Method(
                "percentile",
                lambda seen: seen.percentile(PERCENTILE / 100),
                f"Cuts off the rarest {100 - PERCENTILE:.2g} % of the values.",
            ),
            Method(
                "mse",
                lambda seen: seen.least_squares(),
                "Cuts off as much as makes the mean squared error smallest.",
            ),
        )
    }
)
