"""Summaries of the latencies of repeated runs, with bootstrap intervals.

**Resampling.** The runs of a benchmark come in rounds: a round is a separate process that runs
every model. Runs within one round are correlated: they share memory pages, clock frequency and
temperature. If they were treated as independent, 50 runs in 10 rounds would give an interval up to
sqrt(5) times too narrow. The bootstrap therefore draws whole rounds with replacement (a cluster
bootstrap), and takes the median of all runs that it drew: the interval covers the variance between
rounds, within rounds, and any mixture of both.

**Interval.** The ends are percentiles of the resampled medians. With few rounds, this interval is
too narrow, so it is expanded as Hesterberg proposes (The American Statistician 69:4, 2015, p. 371):
with the quantiles of Student's t with `rounds - 1` degrees of freedom, times
sqrt(rounds / (rounds - 1)), instead of normal quantiles. BCa, scipy's default, corrects by a
jackknife, which is not consistent for a median. In simulations with 10 rounds of 5 runs and any
share of the variance between rounds, the expanded interval contains the true value in 94 to 97 of
100 cases (92 to 94 with 5 rounds), the plain interval in 89 to 94, and an interval that treats all
runs as independent in as few as 66.

**Pairs.** Models of one benchmark are compared round by round: drift of clock frequency and
temperature affects both models alike and cancels in the ratio of their medians in that round. The
ratio is the median of those ratios, with the same bootstrap over rounds for the interval.
Benchmarks made at different times have no rounds in common: their rounds are drawn separately, and
the ratio is the ratio of the medians.

**Images.** Images are independent and numerous: they are drawn individually, and the plain
percentiles are used. Most scores are functions of sums over images. Average precision, which ranks
the detections of all images, is computed from how often each image was drawn.

This is the only module that draws resamples and computes intervals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.integer]

Rounds = Sequence[Floats]
"""The latencies of one model: for each round, an array of at least one value."""

MIN_ROUNDS = 5
"""Minimum number of rounds for an interval: with fewer, it would be uselessly wide."""

CONFIDENCE = 0.95
Verdict = Literal["faster", "slower", "not distinguishable", "too few rounds"]

RESAMPLES = 4000
"""Enough for the quantiles that are needed: with 10 rounds, the expanded 95 % interval leaves 1.7 %
outside."""
IMAGE_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A confidence interval from `low` to `high`; `confidence` is its level, 0..1."""

    low: float
    high: float
    confidence: float

    @property
    def half_width(self) -> float:
        """Half the distance between the ends."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Summary:
    """Latency of a model over all runs of all rounds, in milliseconds.

    Attributes:
        runs: number of runs.
        rounds: number of rounds.
        median_ms: median.
        interval_ms: interval of the median; None with fewer than `MIN_ROUNDS` rounds.
        p10_ms: 10th percentile.
        p90_ms: 90th percentile.
        mean_ms: mean.
        mad_ms: median absolute deviation from the median, not scaled.
        min_ms: fastest run.
        max_ms: slowest run.
        throughput_per_s: 1000 / mean_ms.
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
        """Half the width of the interval over the median; None without an interval."""
        return None if self.interval_ms is None else self.interval_ms.half_width / self.median_ms


@dataclass(frozen=True)
class Ratio:
    """Ratio of the latencies of two models; above 1 if the first one is slower.

    The interval is None with fewer than `MIN_ROUNDS` rounds.
    """

    value: float
    interval: Interval | None

    def verdict(self, margin: float = 0.0) -> Verdict:
        """Return the verdict: a difference needs an interval entirely beyond 1 plus the margin."""
        if self.interval is None:
            return "too few rounds"
        if self.interval.low > 1 + margin:
            return "slower"
        if self.interval.high < 1 / (1 + margin):
            return "faster"
        return "not distinguishable"

    def inverse(self) -> "Ratio":
        """Return the ratio of the second model to the first."""
        ends = self.interval
        interval = None if ends is None else Interval(1 / ends.high, 1 / ends.low, ends.confidence)
        return Ratio(1 / self.value, interval)


def summarize(rounds: Rounds, seed: int | None) -> Summary:
    """Summarize the latencies of one model, in milliseconds above 0.

    `seed` is for the bootstrap, which can take seconds; None for no bootstrap and no interval.

    Raises:
        SeaformerError: there are no rounds, or one of them is empty.
    """
    _require_rounds(rounds)
    runs = np.concatenate(rounds)
    median = float(np.median(runs))
    p10, p90 = np.percentile(runs, (10, 90))
    interval = None
    if seed is not None:
        interval = interval_of_medians([rounds], lambda medians: medians, seed)
    mean = float(runs.mean())
    return Summary(
        runs=len(runs),
        rounds=len(rounds),
        median_ms=median,
        interval_ms=interval,
        p10_ms=float(p10),
        p90_ms=float(p90),
        mean_ms=mean,
        mad_ms=float(np.median(np.abs(runs - median))),
        min_ms=float(runs.min()),
        max_ms=float(runs.max()),
        throughput_per_s=1000 / mean,
    )


def paired_ratio(rounds: Rounds, base: Rounds, seed: int | None) -> Ratio:
    """Compare a model with a base that was measured in the same rounds, in the same order.

    `seed` is for the bootstrap; None for no interval.

    Raises:
        SeaformerError: the numbers of rounds differ, or there are none.
    """
    _require_rounds(rounds)
    _require_rounds(base)
    if len(rounds) != len(base):
        raise SeaformerError(
            f"{len(rounds)} rounds cannot be paired with {len(base)}. Compare models that were "
            "measured in the same rounds."
        )
    pairs = zip(rounds, base, strict=True)
    ratios = [np.array([np.median(one) / np.median(other)]) for one, other in pairs]
    interval = None
    if seed is not None:
        interval = interval_of_medians([ratios], lambda medians: medians, seed)
    return Ratio(float(np.median(np.concatenate(ratios))), interval)


def unpaired_ratio(
    rounds: Rounds, base: Rounds, seed: int, confidence: float = CONFIDENCE
) -> Ratio:
    """Compare the latencies of two benchmarks that were made at different times.

    Raises:
        SeaformerError: one of them has no rounds.
    """
    _require_rounds(rounds)
    _require_rounds(base)
    value = float(np.median(np.concatenate(rounds)) / np.median(np.concatenate(base)))
    interval = interval_of_medians((rounds, base), lambda a, b: a / b, seed, confidence)
    return Ratio(value, interval)


def separate_ratio(one: Summary, base: Summary) -> Ratio:
    """Compare two summaries without their rounds.

    The ends of the interval are the ratios of opposite ends of the two intervals, so it is wider
    than one computed from the rounds would be. It is None unless both have an interval.
    """
    value, ends, others = one.median_ms / base.median_ms, one.interval_ms, base.interval_ms
    if ends is None or others is None:
        return Ratio(value, None)
    confidence = min(ends.confidence, others.confidence)
    return Ratio(value, Interval(ends.low / others.high, ends.high / others.low, confidence))


def interval_of_medians(
    sets: Sequence[Rounds],
    combine: Callable[..., Floats],
    seed: int,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """Bootstrap a function of the medians of one or more independent sets of rounds.

    `combine` is that function; it takes the resampled medians of every set, [`RESAMPLES`] each.
    Return None if a set has fewer than `MIN_ROUNDS` rounds.
    """
    fewest = min(map(len, sets))
    if fewest < MIN_ROUNDS:
        return None
    random = np.random.default_rng(seed)
    medians = [_medians(rounds, draw_rounds(len(rounds), random)) for rounds in sets]
    return interval_of_draws(combine(*medians), fewest, confidence)


def draw_rounds(rounds: int, random: np.random.Generator) -> Indices:
    """Draw `rounds` rounds with replacement; return their indices, [`RESAMPLES`, rounds]."""
    return random.integers(0, rounds, (RESAMPLES, rounds))


def interval_of_draws(
    values: Floats, rounds: int, confidence: float = CONFIDENCE
) -> Interval | None:
    """Return the expanded interval (see above) of values computed from drawn rounds.

    Args:
        values: [`RESAMPLES`], one value per draw.
        rounds: number of rounds, or the smallest number for several sets. Below `MIN_ROUNDS`, the
            result is None.
        confidence: level of the interval, 0..1.
    """
    from scipy import stats  # takes half a second to import

    if rounds < MIN_ROUNDS:
        return None
    t = stats.t.ppf(0.5 + confidence / 2, rounds - 1) * np.sqrt(rounds / (rounds - 1))
    return Interval(*_percentiles(values, float(1 - 2 * stats.norm.sf(t))), confidence)


def interval_over_images(
    counts: npt.NDArray[np.integer], score: Callable[[Floats], Floats], seed: int
) -> Interval:
    """Bootstrap a function of sums over images, which are drawn individually.

    Args:
        counts: summands, [images, ...].
        score: the function, from sums [`IMAGE_RESAMPLES`, ...] to scores [`IMAGE_RESAMPLES`].
        seed: seed of the bootstrap.
    """
    images = len(counts)
    sums = draw_images(images, seed) @ counts.reshape(images, -1)
    return interval_of_resampled(score(sums.reshape(IMAGE_RESAMPLES, *counts.shape[1:])))


def draw_images(images: int, seed: int) -> Floats:
    """Draw all images with replacement, for scores that are not functions of sums over images.

    Returns:
        How often each image is drawn in each resample, [`IMAGE_RESAMPLES`, images].
    """
    drawn = np.random.default_rng(seed).multinomial(
        images, np.full(images, 1 / images), IMAGE_RESAMPLES
    )
    return drawn.astype(np.float64)


def interval_of_resampled(values: Floats) -> Interval:
    """Return the interval of a score from its values for drawn images, [`IMAGE_RESAMPLES`].

    The ends are NaN if one of the values is, because the score of that resample is undefined.
    """
    return Interval(*_percentiles(values, CONFIDENCE), CONFIDENCE)


def _medians(rounds: Rounds, drawn: Indices) -> Floats:
    """Return the median over all runs of each draw, [draws], from indices [draws, rounds]."""
    lengths = np.array([len(values) for values in rounds])
    rows = np.full((len(rounds), lengths.max()), np.inf)
    for row, values in zip(rows, rounds, strict=True):
        row[: len(values)] = values
    runs = np.sort(rows[drawn].reshape(len(drawn), -1), axis=-1)
    count = lengths[drawn].sum(axis=-1)  # infinities are sorted last
    middle = np.stack([(count - 1) // 2, count // 2], axis=-1)
    medians: Floats = np.take_along_axis(runs, middle, axis=-1).mean(axis=-1)
    return medians


def _percentiles(values: Floats, level: float) -> tuple[float, float]:
    """Return the ends of the central interval that contains the share `level`, 0..1, of values."""
    outside = (1 - level) / 2
    low, high = np.quantile(values, (outside, 1 - outside))
    return float(low), float(high)


def _require_rounds(rounds: Rounds) -> None:
    if not rounds or not all(len(values) for values in rounds):
        raise SeaformerError("there are no runs to summarize. Measure again.")
