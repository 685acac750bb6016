"""Medians, intervals and ratios, compared with scipy, simulated data and algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seaformer.errors import SeaformerError
from seaformer.statistics.bootstrap import (
    CONFIDENCE,
    MIN_ROUNDS,
    RESAMPLES,
    Interval,
    Ratio,
    paired_ratio,
    summarize,
    unpaired_ratio,
)

TRUTH_MS = 20.0
SIMULATIONS = 250

times = st.floats(0.01, 1e4)
rounds_of_times = st.lists(
    st.lists(times, min_size=1, max_size=6).map(np.array), min_size=MIN_ROUNDS, max_size=12
)


def simulate(rng: np.random.Generator, between: float, within: float) -> list[np.ndarray]:
    """Return 10 rounds of 5 runs whose true median is `TRUTH_MS`."""
    level = TRUTH_MS + between * rng.standard_normal((10, 1))
    return list(level + within * rng.standard_normal((10, 5)))


def test_summary_of_a_known_case() -> None:
    summary = summarize([np.array([1.0, 2.0, 3.0]), np.array([4.0, 10.0])], seed=0)
    assert (summary.runs, summary.rounds) == (5, 2)
    assert (summary.median_ms, summary.mean_ms) == (3.0, 4.0)
    assert (summary.min_ms, summary.max_ms) == (1.0, 10.0)
    assert summary.mad_ms == 1.0  # of 2, 1, 0, 1, 7
    assert (summary.p10_ms, summary.p90_ms) == pytest.approx((1.4, 7.6))
    assert summary.throughput_per_s == 250.0


def test_intervals_of_single_runs_match_scipy_with_expanded_percentiles() -> None:
    runs = np.random.default_rng(1).gamma(5, size=15)
    ours = summarize([np.array([run]) for run in runs], seed=3).interval_ms
    t = stats.t.ppf(0.5 + CONFIDENCE / 2, 14) * np.sqrt(15 / 14)
    theirs = stats.bootstrap(
        (runs,),
        np.median,
        n_resamples=RESAMPLES,
        confidence_level=1 - 2 * stats.norm.sf(t),
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx(theirs)


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.2), (1.0, 1.0), (0.0, 1.0)])
def test_the_interval_covers_the_true_median_for_any_source_of_spread(
    between: float, within: float
) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(SIMULATIONS):
        interval = summarize(simulate(rng, between, within), seed).interval_ms
        assert interval is not None
        covered += interval.low <= TRUTH_MS <= interval.high
    assert covered >= 0.90 * SIMULATIONS  # 94 % minus three standard errors


def test_resampling_runs_instead_of_rounds_has_too_low_coverage() -> None:
    """The reason for resampling rounds instead of runs."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(SIMULATIONS):
        runs = np.concatenate(simulate(rng, between=1.0, within=0.2))
        interval = stats.bootstrap(
            (runs,), np.median, n_resamples=500, method="percentile", rng=seed
        ).confidence_interval
        covered += interval.low <= TRUTH_MS <= interval.high
    assert covered < 0.8 * SIMULATIONS


def test_common_drift_cancels_in_the_paired_ratio() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(SIMULATIONS):
        drift = 1 + 0.3 * rng.random((10, 1))
        base = list(drift * (TRUTH_MS + 0.2 * rng.standard_normal((10, 5))))
        other = list(1.05 * drift * (TRUTH_MS + 0.2 * rng.standard_normal((10, 5))))
        paired = paired_ratio(other, base, seed).interval
        unpaired = unpaired_ratio(other, base, seed).interval
        assert paired is not None
        assert unpaired is not None
        assert paired.half_width < unpaired.half_width
        covered += paired.low <= 1.05 <= paired.high
    assert covered >= 0.90 * SIMULATIONS


def test_two_benchmarks_of_one_model_are_rarely_significant() -> None:
    rng = np.random.default_rng(0)
    apart = 0
    for seed in range(SIMULATIONS):
        sides = (simulate(rng, 1.0, 0.5) for _ in range(2))
        interval = unpaired_ratio(*sides, seed, confidence=0.99).interval
        assert interval is not None
        apart += not interval.low <= 1 <= interval.high
    assert apart <= 0.03 * SIMULATIONS


def test_a_difference_is_significant() -> None:
    rng = np.random.default_rng(0)
    slower = [1.1 * one for one in simulate(rng, 0.2, 0.2)]
    ratio = unpaired_ratio(slower, simulate(rng, 0.2, 0.2), seed=0, confidence=0.99)
    assert ratio.interval is not None
    assert 1 < ratio.interval.low < ratio.value < ratio.interval.high
    assert ratio.value == pytest.approx(1.1, abs=0.02)


@settings(deadline=None, max_examples=25)
@given(rounds_of_times, st.floats(0.1, 10))
def test_summary_scales_with_the_times(rounds: list[np.ndarray], factor: float) -> None:
    plain, scaled = summarize(rounds, 0), summarize([factor * one for one in rounds], 0)
    assert plain.interval_ms is not None
    assert scaled.interval_ms is not None
    for name in ("median_ms", "p10_ms", "p90_ms", "mean_ms", "mad_ms", "min_ms", "max_ms"):
        expected = pytest.approx(factor * getattr(plain, name), rel=1e-9, abs=1e-9)
        assert getattr(scaled, name) == expected
    assert scaled.interval_ms.low == pytest.approx(factor * plain.interval_ms.low)
    assert scaled.relative_half_width == pytest.approx(plain.relative_half_width, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(rounds_of_times)
def test_the_median_of_rounds_of_unequal_length_is_over_all_runs(
    rounds: list[np.ndarray],
) -> None:
    runs = np.concatenate(rounds)
    summary = summarize(rounds, 0)
    assert summary.median_ms == np.median(runs)
    assert summary.interval_ms is not None
    rounding = 1e-12 * runs.max()
    assert runs.min() - rounding <= summary.interval_ms.low <= summary.interval_ms.high
    assert summary.interval_ms.high <= runs.max() + rounding


@settings(deadline=None, max_examples=25)
@given(rounds_of_times)
def test_the_ratio_of_a_model_to_itself_is_one(rounds: list[np.ndarray]) -> None:
    ratio = paired_ratio(rounds, rounds, seed=0)
    assert ratio.value == 1
    assert ratio.interval is not None
    assert (ratio.interval.low, ratio.interval.high) == (1, 1)


def test_the_inverse_of_a_ratio_has_the_inverse_interval() -> None:
    ratio = Ratio(0.5, Interval(0.4, 0.8, 0.95)).inverse()
    assert ratio == Ratio(2.0, Interval(1.25, 2.5, 0.95))
    assert Ratio(0.5, None).inverse() == Ratio(2.0, None)


def test_the_seed_determines_the_interval() -> None:
    rounds = simulate(np.random.default_rng(0), 1.0, 1.0)
    assert summarize(rounds, 5) == summarize(rounds, 5)
    assert summarize(rounds, 5) != summarize(rounds, 6)


def test_few_rounds_have_no_interval() -> None:
    rounds = [np.array([1.0, 2.0])] * (MIN_ROUNDS - 1)
    assert summarize(rounds, 0).interval_ms is None
    assert summarize(rounds, 0).relative_half_width is None
    assert paired_ratio(rounds, rounds, 0).interval is None


def test_no_runs_cannot_be_summarized() -> None:
    with pytest.raises(SeaformerError, match="no runs to summarize"):
        summarize([], 0)
    with pytest.raises(SeaformerError, match="no runs to summarize"):
        summarize([np.array([1.0]), np.array([])], 0)
    with pytest.raises(SeaformerError, match="2 rounds cannot be paired with 1"):
        paired_ratio([np.array([1.0])] * 2, [np.array([1.0])], 0)
