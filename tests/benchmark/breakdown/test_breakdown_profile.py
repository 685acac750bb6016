"""The profiler's overhead in every event is subtracted from the time of the operators."""

import numpy as np
import pytest
from profile_events import Chain, event

from seaformer.benchmark.breakdown.profile import Profile, read_profile

TYPES = ("ADD", "MUL", "SUB")
BETWEEN_US = 2
"""Time of the profiler between two events."""


def profiled(true_us: tuple[int, ...], own_us: int) -> Profile:
    """Return a round of one run, with overhead of the profiler inside and between the events."""
    start, events = 0, []
    for place, (kind, us) in enumerate(zip(TYPES, true_us, strict=True)):
        elapsed = us + own_us
        timed = {"start_us": start, "elapsed_us": elapsed, "node": place}
        events.append(event(place, kind, "operator", **timed))
        start += elapsed + BETWEEN_US
    return read_profile(Chain(TYPES), [events])


def test_an_event_without_computation_shows_the_overhead_of_the_profiler() -> None:
    true_us = (100, 40, 0)
    profile = profiled(true_us, own_us=3)
    own_us = profile.own_us(np.array([sum(true_us)]))
    assert own_us == 3
    assert profile.net_us(own_us)[:, 0, 0].tolist() == list(true_us)
    assert profile.runs_us[:, 0, 0].tolist() == [103, 43, 3]


def test_no_more_than_the_added_time_is_subtracted() -> None:
    true_us = (100, 40, 30)  # even the cheapest event computes something
    profile = profiled(true_us, own_us=3)
    own_us = profile.own_us(np.array([sum(true_us)]))
    added_us = 3 * 3 + 2 * BETWEEN_US
    assert own_us == pytest.approx(added_us / 3)
    assert profile.net_us(own_us).sum() == pytest.approx(sum(true_us) - 2 * BETWEEN_US)


def test_nothing_is_subtracted_if_profiling_adds_no_time() -> None:
    true_us = (100, 40, 1)
    profile = profiled(true_us, own_us=0)
    assert profile.own_us(np.array([1000.0])) == 0
    assert profile.net_us(0.0).tolist() == profile.runs_us.tolist()


def test_no_operator_gets_a_negative_time() -> None:
    assert profiled((100, 40, 1), own_us=0).net_us(5.0)[:, 0, 0].tolist() == [95, 35, 0]
