"""How the range of an activation is chosen: the one table of methods.

A range that holds every value spends its steps on rare ones; one that cuts off rare values
saturates them. The methods differ in what they cut.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seaformer.export.quantize.ranges import Activation

PERCENTILE = 99.99


@dataclass(frozen=True)
class Method:
    """A way to choose a range.

    Attributes:
        name: as given to --calibration-method.
        choose: what was seen -> smallest and largest value of the range.
        description: one sentence for tables.
    """

    name: str
    choose: "Callable[[Activation], tuple[float, float]]"
    description: str


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                "average",
                lambda seen: (fmean(seen.lows), fmean(seen.highs)),
                "Mean over the pictures of their smallest and of their largest value.",
            ),
            Method(
                "min-max",
                lambda seen: (min(seen.lows), max(seen.highs)),
                "Smallest and largest value of all pictures.",
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
