"""Tests that `make check` skips because they took long in a run of `make test`.

    python -m long_tests build/durations.xml    # `make long-tests` creates both

The list is tests/long_tests.txt: FILE::FUNCTION, without parameters.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from locations import TESTS

LIST = TESTS / "long_tests.txt"

MAX_DURATION_S = 0.6
"""A test function is long if all its cases together take more than this."""


def function_of(node_id: str) -> str:
    """Return the node ID of a test without its parameters."""
    return node_id.partition("[")[0]


def listed() -> frozenset[str]:
    """Return the node IDs of the listed test functions."""
    return frozenset(LIST.read_text(encoding="utf-8").split())


def durations_s(report: Path) -> Mapping[str, float]:
    """Sum up durations by test function, in seconds, from a JUnit report of family xunit1."""
    sums: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):
        sums[function_of(f"{case.attrib['file']}::{case.attrib['name']}")] += float(
            case.attrib["time"]
        )
    return sums


def main() -> None:
    """Rewrite the list from a JUnit report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="JUnit report of a run on an idle computer")
    found = durations_s(parser.parse_args().report)
    long = sorted(name for name, duration_s in found.items() if duration_s > MAX_DURATION_S)
    LIST.write_text("".join(f"{name}\n" for name in long), encoding="utf-8")
    print(f"{len(long)} of {len(found)} test functions take more than {MAX_DURATION_S} s: {LIST}")


if __name__ == "__main__":
    main()
