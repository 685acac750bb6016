"""What the times of repeated runs say, and how sure that is.

**What is resampled.** The runs of a benchmark come in rounds: a round is a process of its own, in
which every model has its turn. Runs of one round are alike: they share the pages the process got,
the clock and the temperature of that moment. Treated as independent, 50 runs in 10 rounds would
give an interval up to sqrt(5) times too narrow. So the bootstrap draws whole rounds, with
replacement (a cluster bootstrap), and takes the median of all the runs it drew: the spread between
rounds, within them, and any mixture of both is in the interval.

**Which interval.** The percentiles of the resampled medians. With few rounds those are too narrow,
so they are expanded as Hesterberg proposes (The American Statistician 69:4, 2015, p. 371): the
tail is not a normal's but Student's t with `rounds - 1` degrees of freedom, times
sqrt(rounds / (rounds - 1)). BCa, which is scipy's default, corrects by a jackknife, which is not
consistent for a median. Simulated with 10 rounds of 5 runs, the expanded interval holds the truth
in 94 to 97 of 100 cases whatever the share of the spread that is between rounds (with 5 rounds in
92 to 94), the plain one in 89 to 94, and one that draws single runs in as few as 66.

**Pairs.** Models of one benchmark are compared round by round: drift of clock and temperature hits
both alike and cancels in the ratio of their medians of that round. The ratio is the median of those
ratios, the interval the same bootstrap over rounds. Benchmarks made at different times have no
common rounds: there, rounds of each are drawn separately and the ratio is that of the medians.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError

Rounds = Sequence[npt.NDArray[np.float64]]
"""The times of one model: an array of one value or more for each round."""

MIN_ROUNDS = 5
"""From fewer, no interval is computed: it would be wider than what it is about."""

CONFIDENCE = 0.95
RESAMPLES = 4000
"""Enough for the tails asked for here: of 10 rounds the expanded 95 % are the outer 1.7 %."""


@dataclass(frozen=True)
class Interval:
    """Where the truth lies with a probability of `confidence`.

    Attributes:
        low: lower end.
        high: upper end.
        confidence: 0..1.
    """

    low: float
    high: float
    confidence: float

    @property
    def half_width(self) -> float:
        """Half the distance of the ends."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Summary:
    """The times of a model, in milliseconds.

    Attributes:
        runs: how many runs.
        rounds: in how many rounds.
        median_ms: the median of all runs.
        interval_ms: of the median; None with fewer than `MIN_ROUNDS` rounds.
        p10_ms: a tenth of the runs is faster.
        p90_ms: a tenth of the runs is slower.
        mean_ms: arithmetic mean.
        mad_ms: median absolute deviation from the median, not scaled.
        min_ms: the fastest run.
        max_ms: the slowest run.
        throughput_per_s: runs per second of time spent in them, 1000 / mean_ms.
    """

    runs: int
    rounds: int
    median_ms: float
    interval_ms: Interval | None
    p10_ms: float
    p90_ms: float
    mean_ms: float
    mad_ms: float
    min_ms: float
    max_ms: float
    throughput_per_s: float

    @property
    def relative_half_width(self) -> float | None:
        """Half the interval's width by the median; None without an interval."""
        return None if self.interval_ms is None else self.interval_ms.half_width / self.median_ms


@dataclass(frozen=True)
class Ratio:
    """How many times as long one model takes as another.

    Attributes:
        value: above 1 if it is the slower one.
        interval: of the value; None with fewer than `MIN_ROUNDS` rounds.
    """

    value: float
    interval: Interval | None

    def inverse(self) -> "Ratio":
        """The ratio of the other model to this one."""
        ends = self.interval
        interval = None if ends is None else Interval(1 / ends.high, 1 / ends.low, ends.confidence)
        return Ratio(1 / self.value, interval)


def summarize(rounds: Rounds, seed: int) -> Summary:
    """Summarise the times of one model.

    Args:
        rounds: in milliseconds, above 0.
        seed: of the bootstrap.

    Raises:
        SeaformerError: there is no round, or an empty one.
    """
    _require_rounds(rounds)
    runs = np.concatenate(rounds)
    median = float(np.median(runs))
    p10, p90 = np.percentile(runs, (10, 90))
    mean = float(runs.mean())
    return Summary(
        runs=len(runs),
        rounds=len(rounds),
        median_ms=median,
        interval_ms=_interval((RoundTable(rounds),), lambda medians: medians, CONFIDENCE, seed),
        p10_ms=float(p10),
        p90_ms=float(p90),
        mean_ms=mean,
        mad_ms=float(np.median(np.abs(runs - median))),
        min_ms=float(runs.min()),
        max_ms=float(runs.max()),
        throughput_per_s=1000 / mean,
    )


def paired_ratio(rounds: Rounds, base: Rounds, seed: int) -> Ratio:
    """Compare two models that were measured in the same rounds.

    Args:
        rounds: times of the one.
        base: times of the other, which the ratio is relative to; of the same rounds, in order.
        seed: of the bootstrap.

    Raises:
        SeaformerError: they have not as many rounds, or none.
    """
    _require_rounds(rounds)
    _require_rounds(base)
    if len(rounds) != len(base):
        raise SeaformerError(
            f"{len(rounds)} rounds cannot be paired with {len(base)}. Compare what was measured in "
            "the same rounds."
        )
    pairs = zip(rounds, base, strict=True)
    ratios = [np.array([np.median(one) / np.median(other)]) for one, other in pairs]
    interval = _interval((RoundTable(ratios),), lambda medians: medians, CONFIDENCE, seed)
    return Ratio(float(np.median(np.concatenate(ratios))), interval)


def unpaired_ratio(
    rounds: Rounds, base: Rounds, seed: int, confidence: float = CONFIDENCE
) -> Ratio:
    """Compare the times of two benchmarks that were made one after the other.

    Args:
        rounds: times of the one.
        base: times of the other, which the ratio is relative to.
        seed: of the bootstrap.
        confidence: of the interval, 0..1.

    Raises:
        SeaformerError: one has no rounds.
    """
    _require_rounds(rounds)
    _require_rounds(base)
    value = float(np.median(np.concatenate(rounds)) / np.median(np.concatenate(base)))
    tables = (RoundTable(rounds), RoundTable(base))
    return Ratio(value, _interval(tables, lambda one, other: one / other, confidence, seed))


class RoundTable:
    """Rounds as the rows of a matrix, filled up with infinities."""

    def __init__(self, rounds: Rounds) -> None:
        self.lengths = np.array([len(values) for values in rounds])
        self.rows = np.full((len(rounds), self.lengths.max()), np.inf)
        for row, values in zip(self.rows, rounds, strict=True):
            row[: len(values)] = values

    def medians(self, drawn: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Return the median of the runs in drawn rounds.

        Args:
            drawn: indices of rounds, [..., rounds]: each row is one draw.
        """
        runs = np.sort(self.rows[drawn].reshape(*drawn.shape[:-1], -1), axis=-1)
        count = self.lengths[drawn].sum(axis=-1)  # the infinities are last
        middle = np.stack([(count - 1) // 2, count // 2], axis=-1)
        medians: npt.NDArray[np.float64] = np.take_along_axis(runs, middle, axis=-1).mean(axis=-1)
        return medians


def expanded_level(rounds: int, confidence: float = CONFIDENCE) -> float:
    """Return the share of resampled values to enclose for a confidence, expanded as above."""
    from scipy import stats  # takes half a second to import

    t = stats.t.ppf(0.5 + confidence / 2, rounds - 1) * np.sqrt(rounds / (rounds - 1))
    return float(1 - 2 * stats.norm.sf(t))


def _interval(
    tables: Sequence[RoundTable],
    combine: Callable[..., npt.NDArray[np.float64]],
    confidence: float,
    seed: int,
) -> Interval | None:
    """Bootstrap a function of the medians of one or more independent sets of rounds."""
    from scipy import stats  # takes half a second to import

    fewest = min(len(table.rows) for table in tables)
    if fewest < MIN_ROUNDS:
        return None

    def statistic(*drawn: npt.NDArray[np.integer], axis: int = -1) -> npt.NDArray[np.float64]:  # noqa: ARG001
        pairs = zip(tables, drawn, strict=True)
        return combine(*(table.medians(indices) for table, indices in pairs))

    result: Any = stats.bootstrap(
        [np.arange(len(table.rows)) for table in tables],
        statistic,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=expanded_level(fewest, confidence),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return Interval(float(low), float(high), confidence)


def _require_rounds(rounds: Rounds) -> None:
    if not rounds or not all(len(values) for values in rounds):
        raise SeaformerError("there are no runs to summarise. Measure again.")
