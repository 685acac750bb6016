"""Growth of latency with the side: exponent b of a * side^b, by least squares of the logarithms.

The fit uses the larger half of the sides: at small sides, operator calls and projections dominate
in every attention. The interval is from the bootstrap over rounds of
`seaformer.statistics.bootstrap`, separately for each side. It covers only measurement noise, not
the possibility that a curve is not a power law or has a different exponent at other sides.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seaformer.statistics.bootstrap import Interval, Rounds, interval_of_medians


@dataclass(frozen=True)
class Growth:
    """An exponent, fitted over some sides.

    Its interval is None if a side has too few rounds, or if the times have no rounds.
    """

    exponent: float
    interval: Interval | None
    sides: tuple[int, ...]


def larger_half(sides: Sequence[int]) -> tuple[int, ...]:
    """The sides for the fit: the larger half, including the middle one, but at least two."""
    ordered = sorted(sides)
    return tuple(ordered[-max(len(ordered) // 2 + 1, 2) :])


def fit(times_ms: Mapping[int, float]) -> Growth | None:
    """Fit a single time per side; None with fewer than two sides."""
    if len(times_ms) < 2:
        return None
    sides = larger_half(list(times_ms))
    slope = _slopes(sides, np.array([times_ms[side] for side in sides]))
    return Growth(float(slope), None, sides)


def fit_rounds(rounds: Mapping[int, Rounds], seed: int) -> Growth | None:
    """Fit the medians of measured runs: side -> milliseconds, an array per round.

    None with fewer than two sides.
    """
    medians = {side: float(np.median(np.concatenate(runs))) for side, runs in rounds.items()}
    fitted = fit(medians)
    if fitted is None:
        return None
    sides = fitted.sides
    interval = interval_of_medians(
        [rounds[side] for side in sides],
        lambda *medians: _slopes(sides, np.stack(medians)),
        seed,
    )
    return Growth(fitted.exponent, interval, sides)


def _slopes(sides: Sequence[int], times_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slope of log time over log side, for times [sides, ...]."""
    x = np.array([math.log(side) for side in sides])
    x -= x.mean()
    slopes: npt.NDArray[np.float64] = np.tensordot(x, np.log(times_ms), 1) / (x @ x)
    return slopes
