"""How much of a model an accelerator runs, from the output of the runner and of LiteRT."""

import re

from seaformer.artifact.accelerators import CPU
from seaformer.benchmark.results.schema import Coverage
from seaformer.benchmark.runner.record import Record

_SPLIT = re.compile(
    r"(No|\d+) operations will run on the \w+, and (?:the remaining|all) (\d+) operations"
)
"""LiteRT prints this only for models that the accelerator runs in part."""


def coverage_of(record: Record, stderr: str) -> Coverage | None:
    """Return the coverage of the first model of a record; None on the CPU, and if unknown.

    `stderr` is from the same run of the runner.
    """
    if record.header is None or record.header.accelerator == CPU or not record.models:
        return None
    is_full = record.models[0].fully_delegated
    if is_full is None:
        return None
    splits = _SPLIT.findall(stderr)
    if is_full or not splits:
        return Coverage(full=is_full)
    taken, left = splits[-1]
    return Coverage(full=False, taken=0 if taken == "No" else int(taken), left=int(left))
