"""Latency estimates that add up, with intervals.

The smallest parts (an operator of a profile, a segment between two truncated models) have one time
per round, expressed as a share of the median of the unprofiled runs of the whole model in the same
round, so that drift of clock and temperature cancels. The share of a row is the sum over its parts,
so that rows add up exactly; times are shares of the measured total.

For a profile, typical runs are selected as a whole. The runs of a round are ordered by the sum of
all parts, and the middle half is used; the rounds are selected in the same way. The estimate of a
part is its mean over the selected runs and rounds. If a typical time were selected for each part
separately, interruptions that hit different operators in different runs would be in the total but
in none of its parts. For truncated models, whose differences add up to the total in every round,
the estimate is the median of each part.

Intervals come from the bootstrap over whole rounds of `seaformer.statistics.bootstrap`. All parts
are drawn together, so that the interval of a sum covers correlations within a round. The interval
of a time covers only its share; the uncertainty of the total is in the total's own interval.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from seaformer.statistics.bootstrap import (
    Floats,
    Indices,
    Interval,
    draw_rounds,
    interval_of_draws,
)

Typical = Callable[[Floats, Indices], Floats]


@dataclass(frozen=True)
class Estimate:
    """A time, negative for a negative difference; no interval if there are too few rounds."""

    ms: float
    interval_ms: Interval | None

    def agrees(self, other: "Estimate") -> bool | None:
        """Whether the intervals overlap; None if one is missing."""
        one, two = self.interval_ms, other.interval_ms
        if one is None or two is None:
            return None
        return one.low <= two.high and two.low <= one.high


class Estimates:
    """The times of the smallest parts of one model; with the rest, they add up to `total_ms`."""

    def __init__(
        self, parts: Floats, wholes: Floats, total_ms: float, seed: int, typical: Typical
    ) -> None:
        """Draw the bootstrap samples of rounds.

        Args:
            parts: [parts, rounds], in any unit.
            wholes: [rounds], for the whole model, in the same rounds and unit.
            total_ms: the measured time of the whole model.
            seed: random seed of the bootstrap.
            typical: reduces the shares of each part over all rounds to one share.
        """
        self.total_ms = total_ms
        shares = parts / wholes
        self._rounds = shares.shape[1]
        self._shares = typical(shares, np.arange(self._rounds)[None])[:, 0]
        self._drawn = typical(shares, draw_rounds(self._rounds, np.random.default_rng(seed)))

    def sum(self, parts: Iterable[int]) -> Estimate:
        """The total time of some parts."""
        chosen = list(parts)
        return self._estimate(self._shares[chosen].sum(), self._drawn[chosen].sum(axis=0))

    def rest(self) -> Estimate:
        """The total minus all parts."""
        return self._estimate(1 - self._shares.sum(), 1 - self._drawn.sum(axis=0))

    def _estimate(self, share: float, drawn: Floats) -> Estimate:
        interval = interval_of_draws(self.total_ms * drawn, self._rounds)
        return Estimate(float(share * self.total_ms), interval)


def middle_half(parts: Floats) -> Floats:
    """Average the middle half of the last axis (runs or rounds) by the sum of all parts."""
    order = np.argsort(parts.sum(axis=0), axis=-1)
    count = parts.shape[-1]
    chosen = order[..., count // 4 : count - count // 4]
    mean: Floats = np.take_along_axis(parts, chosen[None], axis=-1).mean(axis=-1)
    return mean


def middle_rounds(shares: Floats, drawn: Indices) -> Floats:
    """Typical shares of a profile, see above; [parts, rounds] and indices [draws, rounds]."""
    order = np.argsort(shares.sum(axis=0)[drawn], axis=-1)
    count = drawn.shape[-1]
    chosen = np.take_along_axis(drawn, order[:, count // 4 : count - count // 4], axis=-1)
    return np.stack([part[chosen].mean(axis=-1) for part in shares])


def median_rounds(shares: Floats, drawn: Indices) -> Floats:
    """Typical shares of segments, see above; [parts, rounds] and indices [draws, rounds]."""
    return np.stack([np.median(part[drawn], axis=-1) for part in shares])
