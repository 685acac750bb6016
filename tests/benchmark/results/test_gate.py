"""The regression gate: cases, exit status, and the line for CI."""

import pytest
from benchmark_parts import WRONG, candidate, make_results, times_around

from seaformer.benchmark.results.comparison import compare
from seaformer.benchmark.results.gate import Case, cases_of, exit_status, summary_line
from seaformer.benchmark.results.schema import Results

TOLERANCE = 0.05


def of(times: dict[str, float], seed: int = 0, wrong: tuple[str, ...] = ()) -> Results:
    """Return results with the median latencies of these files in milliseconds."""
    models = [candidate(place, name) for place, name in enumerate(times)]
    medians = {
        f"m{place}": times_around(ms, seed + place) for place, ms in enumerate(times.values())
    }
    parities = {f"m{place}": WRONG for place, name in enumerate(times) if name in wrong}
    return make_results(models, medians, parities=parities)


def gated(new: Results, old: Results) -> list[Case]:
    return cases_of(new, old, compare(new, old, TOLERANCE), TOLERANCE)


OLD = of({"a.tflite": 20.0, "b.tflite": 20.0, "c.tflite": 20.0, "wrong.tflite": 5.0})


def test_every_model_of_either_benchmark_is_a_case() -> None:
    new = of(
        {
            "a.tflite": 20.0, "b.tflite": 21.0, "c.tflite": 25.0, "wrong.tflite": 5.0,
            "added.tflite": 9.0,
        },
        seed=9, wrong=("wrong.tflite",),
    )  # fmt: skip
    old = of({"a.tflite": 20.0, "b.tflite": 20.0, "c.tflite": 20.0, "wrong.tflite": 5.0, "d": 1.0})
    cases = gated(new, old)
    assert {case.model: case.outcome for case in cases} == {
        "a.tflite": "passed",
        "b.tflite": "inconclusive",
        "c.tflite": "regression",
        "wrong.tflite": "failed",
        "added.tflite": "not compared",
        "d": "not compared",
    }
    reasons = {case.model: case.reason for case in cases}
    assert "the whole 99 % interval is above 1.05" in reasons["c.tflite"]
    assert "the 99 % interval contains 1.05" in reasons["b.tflite"]
    assert "output on the device is wrong" in reasons["wrong.tflite"]
    # 50 runs of 20 ms
    assert cases[0].measured_s == pytest.approx(1.0, rel=0.02)
    assert cases_of(new, None, (), TOLERANCE)[0].reason == (
        "there is no older benchmark of this device"
    )


@pytest.mark.parametrize(
    ("new", "status", "strict_status", "line"),
    [
        ({"a.tflite": 20.0}, 0, 0, "gate: passed: 1 passed, at a tolerance of 5 %"),
        ({"a.tflite": 15.0}, 0, 0, "gate: passed: 1 passed"),
        ({"a.tflite": 21.0}, 0, 4, "gate: inconclusive: 1 inconclusive, at a tolerance of 5 %; "),
        ({"a.tflite": 30.0}, 3, 3, "gate: regression: 1 regression, at a tolerance of 5 %; "),
        (
            {"a.tflite": 30.0, "b.tflite": 20.0, "c.tflite": 21.0}, 3, 3,
            "gate: regression: 1 regression, 1 inconclusive, 1 passed, at a tolerance of 5 %; ",
        ),
        (
            {"a.tflite": 20.0, "new.tflite": 1.0}, 0, 4,
            "gate: not compared: 1 not compared, 1 passed",
        ),
    ],
)  # fmt: skip
def test_the_worst_case_decides(
    new: dict[str, float], status: int, strict_status: int, line: str
) -> None:
    old = of({name: 20.0 for name in new if name != "new.tflite"} | {"rest.tflite": 1.0})
    cases = [case for case in gated(of(new, seed=9), old) if case.model != "rest.tflite"]
    assert exit_status(cases, is_strict=False) == status
    assert exit_status(cases, is_strict=True) == strict_status
    summary = summary_line(cases, TOLERANCE)
    assert summary.startswith(line)
    assert ("a.tflite on R58: new / old latency" in summary) == line.endswith("; ")


def test_the_line_names_a_few_models() -> None:
    cases = [Case("R58", f"{place}.tflite", "regression", "slow") for place in range(5)]
    assert summary_line(cases, TOLERANCE) == (
        "gate: regression: 5 regression, at a tolerance of 5 %; 0.tflite on R58: slow; 1.tflite on "
        "R58: slow; 2.tflite on R58: slow; and 2 more"
    )
    assert summary_line([], TOLERANCE).startswith("gate: not compared: nothing")


def test_a_tolerance_below_the_difference_of_equal_files_has_no_effect() -> None:
    old, new = of({"a.tflite": 20.0}), of({"a.tflite": 20.36}, seed=9)
    for tolerance in (0.001, 0.02):
        (compared,) = compare(new, old, tolerance)
        assert compared.ratio.interval is not None
        assert 1.001 < compared.ratio.interval.low < 1.02
        assert not compared.is_regression
