"""JUnit XML, as junitparser and pytest's schema for it read it."""

from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from seaformer.benchmark.presentation.junit import to_junit
from seaformer.benchmark.results.gate import Case

CASES = (
    Case("R58", "same.tflite", "passed", "1.000 [0.990, 1.010]", 1.25),
    Case("R58", "slow.tflite", "regression", "1.100 [1.080, 1.120]", 2.5),
    Case("R58", "unclear.tflite", "inconclusive", "1.030 [0.990, 1.070]"),
    Case("127.0.0.1:5555", "wrong.tflite", "failed", "the output on the device is wrong"),
    Case("127.0.0.1:5555", "new.tflite", "not compared", "no older benchmark"),
)


def read(folder: Path, text: str) -> JUnitXml:
    path = folder / "junit.xml"
    path.write_text(text, encoding="utf-8")
    return JUnitXml.fromfile(str(path))


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_reader_gets_every_case_with_its_outcome(tmp_path: Path, is_strict: bool) -> None:
    found = read(tmp_path, to_junit(CASES, (), is_strict, {"R58": {"conditions": "Maker & <1>"}}))
    phone, network = list(found)
    assert (phone.name, network.name) == ("R58", "127.0.0.1:5555")
    assert {one.name: one.value for one in phone.properties()} == {"conditions": "Maker & <1>"}
    outcomes = {case.name: [type(one) for one in case.result] for suite in found for case in suite}
    undecided = Failure if is_strict else Skipped
    assert outcomes == {
        "same.tflite": [],
        "slow.tflite": [Failure],
        "unclear.tflite": [undecided],
        "wrong.tflite": [Error],
        "new.tflite": [undecided],
    }
    slow = next(case for case in phone if case.name == "slow.tflite")
    (failure,) = slow.result
    assert (failure.type, failure.message) == ("regression", "1.100 [1.080, 1.120]")
    assert slow.system_out == "regression: 1.100 [1.080, 1.120]"
    assert (slow.classname, slow.time, phone.time) == ("R58", 2.5, 3.75)
    assert {case.classname for case in network} == {"127_0_0_1_5555"}
    # The numbers that are written equal those that the reader counts.
    written = [(one.tests, one.failures, one.errors, one.skipped) for one in (phone, network)]
    for suite in (phone, network):
        suite.update_statistics()
    assert written == [
        (one.tests, one.failures, one.errors, one.skipped) for one in (phone, network)
    ]
    assert (found.tests, found.errors) == (5, 1)
    assert found.failures == (3 if is_strict else 1)


def test_problems_of_the_benchmark_are_errors(tmp_path: Path) -> None:
    found = read(tmp_path, to_junit((), ["The phone is disconnected.", "b"], False, {}))
    (suite,) = found
    assert [case.name for case in suite] == ["benchmark", "benchmark 2"]
    (error,) = next(iter(suite)).result
    assert (type(error), error.message) == (Error, "The phone is disconnected.")


def test_names_with_characters_that_xml_forbids_are_escaped(tmp_path: Path) -> None:
    name = "a\x1b[31m\x00\n\ud800\uffff<&\"'é.tflite"
    (suite,) = read(tmp_path, to_junit([Case(name, name, "failed", name)], (), False, {}))
    (case,) = suite
    assert case.name == "a\\x1b[31m\\x00\\n\\ud800\N{REPLACEMENT CHARACTER}<&\"'é.tflite"
