"""Times that add up, and how sure they are.

The smallest parts (an operator of a profile, a segment between two truncated models) have one time
in each round, taken as a share of the median of the whole model's unprofiled runs in the same
round, so that drift of clock and temperature cancels. A row's share is the sum of its parts', so
that rows add up exactly; times are shares of the measured total.

What is typical is chosen as a whole in a profile: of the runs of a round, and of the rounds, the
middle half by the sum of all parts, and of those the mean of every part. Were a typical time chosen
of each part by itself, what interrupts now one operator and now another would be in the total and
in none of its parts. Between truncated models, where the sum is the total in every round, it is
each part's median.

Intervals come from the bootstrap over whole rounds of `seaformer.statistics.bootstrap`. All parts
are drawn together, so that what they have in common in a round is in the interval of their sum. The
interval of a time is that of its share: how sure the total is, is said by the total's own.
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
    """A time; below 0 if it is such a difference, without interval if rounds are too few."""

    ms: float
    interval_ms: Interval | None

    def agrees(self, other: "Estimate") -> bool | None:
        """Whether the intervals overlap; None if one is missing."""
        one, two = self.interval_ms, other.interval_ms
        if one is None or two is None:
            return None
        return one.low <= two.high and two.low <= one.high


class Estimates:
    """The times of the smallest parts of one model, which add up to `total_ms` with the rest."""

    def __init__(
        self, parts: Floats, wholes: Floats, total_ms: float, seed: int, typical: Typical
    ) -> None:
        """Draw rounds.

        Args:
            parts: [parts, rounds], in any unit.
            wholes: [rounds], the whole model in the same rounds and unit.
            total_ms: the measured time of the whole model.
            seed: of the bootstrap.
            typical: what makes one share of each part out of those of all rounds.
        """
        self.total_ms = total_ms
        shares = parts / wholes
        self._rounds = shares.shape[1]
        self._shares = typical(shares, np.arange(self._rounds)[None])[:, 0]
        self._drawn = typical(shares, draw_rounds(self._rounds, np.random.default_rng(seed)))

    def sum(self, parts: Iterable[int]) -> Estimate:
        """The time of some parts together."""
        chosen = list(parts)
        return self._estimate(self._shares[chosen].sum(), self._drawn[chosen].sum(axis=0))

    def rest(self) -> Estimate:
        """The total without all parts."""
        return self._estimate(1 - self._shares.sum(), 1 - self._drawn.sum(axis=0))

    def _estimate(self, share: float, drawn: Floats) -> Estimate:
        interval = interval_of_draws(self.total_ms * drawn, self._rounds)
        return Estimate(float(share * self.total_ms), interval)


def middle_half(parts: Floats) -> Floats:
    """Average the middle half of turns by the sum of all parts: [parts, ..., turns]."""
    order = np.argsort(parts.sum(axis=0), axis=-1)
    count = parts.shape[-1]
    chosen = order[..., count // 4 : count - count // 4]
    mean: Floats = np.take_along_axis(parts, chosen[None], axis=-1).mean(axis=-1)
    return mean


def middle_rounds(shares: Floats, drawn: Indices) -> Floats:
    """What is typical of a profile, see above; [parts, rounds] and [draws, rounds] of indices."""
    order = np.argsort(shares.sum(axis=0)[drawn], axis=-1)
    count = drawn.shape[-1]
    chosen = np.take_along_axis(drawn, order[:, count // 4 : count - count // 4], axis=-1)
    return np.stack([part[chosen].mean(axis=-1) for part in shares])


def median_rounds(shares: Floats, drawn: Indices) -> Floats:
    """What is typical of segments, see above; [parts, rounds] and [draws, rounds] of indices."""
    return np.stack([np.median(part[drawn], axis=-1) for part in shares])
