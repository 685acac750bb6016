"""JUnit XML of the regression gate: a suite per device, and a test case per model.

There is no standard. The elements and attributes here are those that pytest writes, which the
readers of CI systems are tested with (schema: Jenkins' xUnit plugin, `junit-10.xsd`): the outcome
is in the attributes of `failure`, `error` or `skipped`, the numbers in `system-out`.
"""

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from seaformer.benchmark.results.gate import Case
from seaformer.terminal import printable

NAME = "seaformer-benchmark"

_ELEMENTS = {
    "failed": "error",
    "regression": "failure",
    "inconclusive": "skipped",
    "not compared": "skipped",
}
"""Outcome -> element of its test case; a case without one has passed."""


def to_junit(
    cases: Sequence[Case],
    problems: Sequence[str],
    is_strict: bool,
    properties: Mapping[str, Mapping[str, str]],
) -> str:
    """Write test cases as JUnit XML.

    Args:
        cases: the cases.
        problems: errors of the whole benchmark, each of which is a test case with an error.
        is_strict: whether an inconclusive case is a failure; otherwise it is skipped.
        properties: device of cases -> name and value of its properties.
    """
    root = ElementTree.Element("testsuites", name=NAME)
    for device in dict.fromkeys(case.device for case in cases):
        suite = _suite(root, device, [case for case in cases if case.device == device], is_strict)
        known = ElementTree.Element("properties")
        for name, value in properties.get(device, {}).items():
            ElementTree.SubElement(known, "property", name=name, value=_text(value))
        if len(known):
            suite.insert(0, known)
    if problems:
        failed = [
            Case(NAME, f"benchmark {place}" if place > 1 else "benchmark", "failed", problem)
            for place, problem in enumerate(problems, 1)
        ]
        _suite(root, NAME, failed, is_strict)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=False) + "\n"


def _suite(
    root: ElementTree.Element, device: str, cases: Sequence[Case], is_strict: bool
) -> ElementTree.Element:
    elements = [_element(case, is_strict) for case in cases]
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_text(device),
        tests=str(len(cases)),
        failures=str(elements.count("failure")),
        errors=str(elements.count("error")),
        skipped=str(elements.count("skipped")),
        time=f"{sum(case.measured_s for case in cases):.3f}",
    )
    for case, element in zip(cases, elements, strict=True):
        one = ElementTree.SubElement(
            suite,
            "testcase",
            # Readers take a dot as the end of a package name, and an address has dots.
            classname=re.sub(r"[^\w-]", "_", case.device),
            name=_text(case.model),
            time=f"{case.measured_s:.3f}",
        )
        reason = _text(case.reason)
        if element is not None:
            ElementTree.SubElement(one, element, type=case.outcome, message=reason).text = reason
        ElementTree.SubElement(one, "system-out").text = f"{case.outcome}: {reason}"
    return suite


def _text(text: str) -> str:
    """Escape the characters that XML does not allow: controls, and two noncharacters."""
    return re.sub("[\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", printable(text))


def _element(case: Case, is_strict: bool) -> str | None:
    element = _ELEMENTS.get(case.outcome)
    return "failure" if is_strict and element == "skipped" else element
