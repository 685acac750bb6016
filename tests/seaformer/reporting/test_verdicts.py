"""Verdicts claim what the intervals allow, and no more."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seaformer.reporting.verdicts import changed, changed_latency, compared, fastest, joined
from seaformer.statistics.bootstrap import Interval, Ratio, separate_ratio, summarize


def ratio(value: float, low: float, high: float, confidence: float = 0.95) -> Ratio:
    return Ratio(value, Interval(low, high, confidence))


def test_the_faster_model_is_named_first_with_its_interval() -> None:
    assert compared("B", "A", ratio(0.8, 0.75, 0.85)) == "B is 1.25x (1.18 to 1.33) as fast as A."
    assert compared("B", "A", ratio(1.25, 1.2, 1.3)) == "A is 1.25x (1.20 to 1.30) as fast as B."


def test_no_difference_is_stated_without_evidence() -> None:
    assert compared("B", "A", ratio(0.99, 0.97, 1.01)) == (
        "No difference between B and A can be stated: the 95 % interval of the ratio of their "
        "latencies, 0.970 to 1.010, contains 1."
    )
    assert compared("B", "A", ratio(0.97, 0.96, 0.985, 0.99), margin=0.02) == (
        "No difference between B and A can be stated: the 99 % interval of the ratio of their "
        "latencies, 0.960 to 0.985, is not beyond 2 %."
    )
    assert compared("B", "A", Ratio(0.5, None)) == (
        "No difference between B and A can be stated: there were too few rounds for an interval."
    )


def test_a_model_is_compared_with_itself_at_another_time() -> None:
    def stated(given: Ratio) -> str:
        return changed_latency("A", "now", "before", given, 0.02)

    assert stated(ratio(0.8, 0.75, 0.85)) == "A is 1.25x (1.18 to 1.33) as fast now as before."
    assert stated(ratio(1.25, 1.2, 1.3)) == "A takes 1.25x (1.20 to 1.30) as long now as before."
    assert stated(ratio(1.025, 1.01, 1.04, 0.99)) == (
        "No difference between A now and before can be stated: the 99 % interval of the ratio of "
        "their latencies, 1.010 to 1.040, is not beyond 2 %."
    )


@given(st.floats(0.1, 10), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_model_is_called_faster_only_beyond_the_interval(
    value: float, below: float, above: float
) -> None:
    given = ratio(value, value * (1 - below), value * (1 + above))
    said = compared("B", "A", given)
    assert given.interval is not None
    assert said.startswith("B is ") == (given.interval.high < 1)
    assert said.startswith("A is ") == (given.interval.low > 1)


def test_the_fastest_of_several_is_stated_only_if_all_others_are_slower() -> None:
    times = {"a": 3.0, "b": 1.0, "c": 1.2}

    def sure(one: str, base: str) -> Ratio:
        value = times[one] / times[base]
        return ratio(value, 0.95 * value, 1.05 * value)

    def unsure(one: str, base: str) -> Ratio:
        value = times[one] / times[base]
        return ratio(value, 0.8 * value, 1.3 * value)

    assert fastest(times, sure) == [
        "b is the fastest of 3, 1.20x (1.14 to 1.26) as fast as the next, c."
    ]
    assert fastest(times, unsure) == ["No difference can be stated between b and c; a is slower."]
    assert fastest({"a": 3.0, "b": 1.0}, sure) == ["b is 3.00x (2.85 to 3.15) as fast as a."]
    assert fastest(times, lambda one, _: None if one == "a" else unsure(one, "b")) == [
        "No difference can be stated between b and c.",
        "Not compared with b: a.",
    ]


def test_a_score_differs_only_beyond_its_interval() -> None:
    assert changed("mIoU", "fp32", -0.3, (-0.5, -0.1)) == (
        "0.30 points of mIoU below fp32 (0.10 to 0.50)"
    )
    assert changed("mIoU", "fp32", 0.3, (0.1, 0.5)) == (
        "0.30 points of mIoU above fp32 (0.10 to 0.50)"
    )
    for ends in ((-0.5, 0.1), (-0.3, 0.0)):
        assert changed("mIoU", "fp32", -0.3, ends).startswith("no difference in mIoU from fp32")
    assert "without an interval" in changed("mIoU", "fp32", -0.3, None)
    assert changed("mIoU", "fp32", None, None) == "no mIoU to compare with fp32"


def test_names_are_joined() -> None:
    assert [joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"], "or")] == [
        "a", "a and b", "a, b or c",
    ]  # fmt: skip


def test_separate_summaries_are_compared_by_opposite_ends() -> None:
    rounds = [[[value + place / 100] * 2 for place in range(10)] for value in (1.0, 2.0)]
    one, base = (summarize([np.array(run) for run in runs], 0) for runs in rounds)
    found = separate_ratio(one, base)
    assert one.interval_ms is not None
    assert base.interval_ms is not None
    assert found.interval is not None
    assert found.interval.low == one.interval_ms.low / base.interval_ms.high
    assert found.interval.high == one.interval_ms.high / base.interval_ms.low
    assert found.interval.low < found.value < found.interval.high < 1
    few = summarize([np.array([1.0])], 0)
    assert separate_ratio(one, few).interval is None
