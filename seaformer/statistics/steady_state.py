"""Where a series of measurements over time becomes steady, and its median from there on.

**Onset.** A device that runs without pause warms up, throttles, and settles. The part before that
is cut off with White's rule (MSER: Simulation 69:6, 1997, p. 323): the cut in the first half that
minimizes the squared standard error of the mean of what remains. There is no steady state if that
is the last possible cut, because the series then still changes, or if the two halves of what
remains differ by more than `TOLERANCE` and by more than their noise, because it changed later.

**What is summarized.** Always the second half of the series. The cut itself depends on the noise,
and keeps the end of a slow approach: in a simulation of a phone that settles within 25 of 300
seconds, an interval of everything after the cut covered the true median in 88 of 100 cases.

**Interval.** Neighboring measurements are correlated, because a governor raises and lowers the
clock in a cycle of seconds. That half is therefore divided into batches of consecutive
measurements, and these are resampled like the rounds of a benchmark, see `bootstrap`. The interval
is valid if a batch is longer than such a cycle.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from seaformer.statistics.bootstrap import Floats, Rounds, Summary, interval_of_medians, summarize

BATCHES = 10
"""Number of batches, if there are at least as many measurements."""

MIN_STEADY = 5
"""Smallest number of measurements of a steady state."""

MAX_RUNS = 300
"""Number of values of a batch that are resampled: all runs of minutes would need gigabytes."""

TOLERANCE = 0.02
"""Difference of the means of the halves of a steady state that is always tolerated, as a share."""

STANDARD_ERRORS = 3.0
"""Tolerance in standard errors of that difference: smaller differences can be noise."""


def onset(values: Sequence[float]) -> int | None:
    """Return the index of the first measurement of the steady state; None if there is none.

    Args:
        values: one measurement above 0 for each of several equal periods of time, in order.
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) < 2 * MIN_STEADY:
        return None
    last = len(series) // 2
    errors = [series[cut:].var() / (len(series) - cut) for cut in range(last + 1)]
    cut = int(np.argmin(errors))
    return None if cut == last or _changes(series[cut:]) else cut


def summarized(count: int) -> int:
    """Return the index of the first of `count` measurements that describe a steady state."""
    return count // 2


def batches(runs: Sequence[Floats]) -> Rounds:
    """Join the runs of consecutive periods into `BATCHES` batches, or one per period if fewer.

    Periods without runs are omitted.
    """
    filled = [one for one in runs if len(one)]
    count = min(BATCHES, len(filled))
    edges = [len(filled) * place // count for place in range(count + 1)] if count else []
    return [np.concatenate(filled[start:end]) for start, end in pairwise(edges)]


def summarize_batches(joined: Rounds, seed: int) -> Summary:
    """Summarize all runs of one or more batches, in milliseconds above 0.

    For the interval, long batches are represented by their quantiles: batches are drawn as a whole,
    so that only their distributions matter.
    """
    shares = (np.arange(MAX_RUNS) + 0.5) / MAX_RUNS
    shorter = [one if len(one) <= MAX_RUNS else np.quantile(one, shares) for one in joined]
    interval = interval_of_medians([shorter], lambda medians: medians, seed)
    return replace(summarize(joined, None), interval_ms=interval)


def _changes(series: Floats) -> bool:
    """Whether the halves of a series differ."""
    halves = np.array_split(series, 2)
    difference = abs(halves[1].mean() - halves[0].mean())
    noise = float(np.sqrt(sum(half.var(ddof=1) / len(half) for half in halves)))
    return bool(difference > max(TOLERANCE * series.mean(), STANDARD_ERRORS * noise))
