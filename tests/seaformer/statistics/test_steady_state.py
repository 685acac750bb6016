"""Where a series becomes steady, and whether the interval of its median covers the true value."""

import numpy as np
import pytest

from seaformer.statistics.steady_state import (
    BATCHES,
    MIN_STEADY,
    batches,
    onset,
    summarize_batches,
    summarized,
)

TRUE_MS = 25.0


def warming(random: np.random.Generator, seconds: int = 300, tau_s: float = 25.0) -> list:
    """Return the runs of each second of a phone that settles, with correlated noise."""
    at = np.arange(seconds)
    noise = np.zeros(seconds)
    for second in range(1, seconds):
        noise[second] = 0.7 * noise[second - 1] + random.normal(0, 0.15)
    center = TRUE_MS - 8 * np.exp(-at / tau_s) + noise
    return [random.normal(ms, 0.2, 6) for ms in center]


def test_the_interval_of_the_steady_state_covers_the_true_median() -> None:
    """The end of the warm-up and the correlation of neighboring seconds are included."""
    held = 0
    for seed in range(40):
        runs = warming(np.random.default_rng(seed))
        first = onset([float(np.median(one)) for one in runs])
        assert first is not None
        assert 25 < first < 150
        interval = summarize_batches(batches(runs[summarized(len(runs)) :]), seed).interval_ms
        assert interval is not None
        assert interval.half_width < 0.4
        held += interval.low <= TRUE_MS <= interval.high
    assert held >= 33  # of 40, at 95 %


def test_a_series_without_warm_up_is_steady_from_the_start() -> None:
    random = np.random.default_rng(0)
    found = onset(list(random.normal(10, 0.1, 100)))
    assert found is not None
    assert found < 50


@pytest.mark.parametrize(
    "values",
    [
        list(range(100)),  # still rising
        [1.0] * 80 + [5.0 + 0.01 * n for n in range(20)],  # has just throttled
        [1.0] * (2 * MIN_STEADY - 1),  # too short
    ],
)
def test_a_series_that_has_not_settled_has_no_steady_state(values) -> None:
    assert onset(list(map(float, values))) is None


def test_batches_contain_every_run_once() -> None:
    runs = [np.array([float(n)] * (n % 3)) for n in range(37)]
    joined = batches(runs)
    assert len(joined) == BATCHES
    np.testing.assert_array_equal(np.concatenate(joined), np.concatenate(runs))
    assert [len(one) for one in batches([np.ones(2)] * 3)] == [2, 2, 2]
    assert batches([np.ones(0)]) == []


def test_runs_of_minutes_are_summarized_in_little_memory() -> None:
    random = np.random.default_rng(0)
    summary = summarize_batches([random.normal(5.0, 0.2, 100_000) for _ in range(10)], 0)
    assert summary.runs == 1_000_000
    assert summary.interval_ms is not None
    assert summary.interval_ms.low < summary.median_ms < summary.interval_ms.high
    assert summary.interval_ms.low < 5.0 < summary.interval_ms.high
    assert summary.interval_ms.half_width < 0.002
