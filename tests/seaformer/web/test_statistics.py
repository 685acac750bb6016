"""The statistics of the page equal those of Python, for the same runs and the same seed."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from web_modules import call, needs_node

from seaformer.statistics.bootstrap import summarize

pytestmark = [pytest.mark.tools, needs_node]

SEEDS = (0, 1, 7, 2**31, 2**32 - 1)


def test_random_integers_are_numpys(tmp_path: Path) -> None:
    ends = (1, 2, 3, 10, 64, 1000, 2**31 + 3)  # the last one rejects almost half of the draws
    drawn = call(
        tmp_path,
        "numpy_random",
        "value.map(([seed, end]) => { const random = new module.Random(seed);"
        " return Array.from({ length: 101 }, () => random.below(end)); })",
        [(seed, end) for seed in SEEDS for end in ends],
    )
    expected = [
        np.random.default_rng(seed).integers(0, end, 101).tolist() for seed in SEEDS for end in ends
    ]
    assert drawn == expected


def test_distributions_are_scipys(tmp_path: Path) -> None:
    cases = [(level, degrees) for level in (0.5, 0.95, 0.999) for degrees in (1, 2, 3, 4, 9, 99)]
    z = np.linspace(0, 8, 50)
    quantiles, shares = call(
        tmp_path,
        "distributions",
        "[value[0].map((one) => module.centralQuantileOfT(...one)),"
        " value[1].map(module.centralNormal)]",
        [cases, z.tolist()],
    )
    expected = [stats.t.ppf(0.5 + level / 2, degrees) for level, degrees in cases]
    np.testing.assert_allclose(quantiles, expected, rtol=1e-10)
    np.testing.assert_allclose(shares, 1 - 2 * stats.norm.sf(z), rtol=0, atol=1e-13)


def test_summaries_are_pythons(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    cases: list[tuple[int, list[list[float]]]] = []
    for rounds, seed in ((1, 0), (4, 0), (5, 1), (10, 7), (11, 2**31), (30, 0)):
        lengths = random.integers(1, 8, rounds)  # a round may be cut short
        runs = [random.lognormal(2, 0.1, length).round(3).tolist() for length in lengths]
        cases.append((seed, runs))
    found: list[dict[str, Any]] = call(
        tmp_path,
        "statistics",
        "value.map(([seed, rounds]) => module.summarize(rounds, seed))",
        cases,
    )
    for (seed, runs), ours in zip(cases, found, strict=True):
        theirs = asdict(summarize([np.array(one) for one in runs], seed))
        intervals = ours.pop("interval_ms"), theirs.pop("interval_ms")
        assert ours == pytest.approx(theirs, rel=1e-12)
        assert intervals[0] == (intervals[1] and pytest.approx(intervals[1], rel=1e-9))
        assert (intervals[0] is None) == (len(runs) < 5)


def test_no_runs_are_an_error(tmp_path: Path) -> None:
    message = call(
        tmp_path,
        "statistics",
        "(() => { try { module.summarize(value, 0); } catch (error) { return error.message; } })()",
        [[1.0], []],
    )
    assert message == "There are no runs to summarize."
