"""Parser for the output of `benchmark_model`, in the formats of all its versions.

Lines may start with "INFO: " or, from LiteRT's newer tool, with "INFO: [file.h:12] ". Times of the
inference are in one of these formats:

    count=64 first=16067 curr=15102 min=14661 max=17579 avg=15517.6 std=551
    Inference timings in us: Init: 32163, First inference: 19834, Warmup (avg): 15997.4, ...
    Inference (avg):      15.52 ms (64 runs)

The parser never raises: malformed values are omitted.
"""

import math
import re
from collections.abc import Iterable, Sequence

from seaformer.benchmark.results.schema import Times, ToolSummary

_PREFIX = re.compile(r"^\s*(?:INFO|WARNING|ERROR):\s?(?:\[[^\]]*:\d+\]\s?)?")
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"

_CLASSIC = {
    "init": rf"\bInit: {_NUMBER}",
    "first": rf"\bFirst inference: {_NUMBER}",
    "mean": rf"\bInference \(avg\): {_NUMBER}(?! *ms)",
}
_NEWER = {
    "init": rf"^Model initialization:\s+{_NUMBER} ms",
    "first": rf"^Warmup \(first\):\s+{_NUMBER} ms",
    "mean": rf"^Inference \(avg\):\s+{_NUMBER} ms",
    "min": rf"^Inference \(min\):\s+{_NUMBER} ms",
    "max": rf"^Inference \(max\):\s+{_NUMBER} ms",
    "std": rf"^Inference \(std\):\s+{_NUMBER}",
}
_RUNS = re.compile(r"^Inference \(avg\):.*\((\d{1,9}) runs\)")
_COUNTED = re.compile(r"\bcount=(\d{1,9})\b.*\bavg=")
_STATISTIC = re.compile(rf"\b(min|max|std|median)={_NUMBER}")
_MEMORY_MB = (
    re.compile(rf"^Peak memory:\s+{_NUMBER} MB"),
    re.compile(rf"peak memory footprint \(MB\)[^:]*: *{_NUMBER}", re.IGNORECASE),
    re.compile(rf"\boverall={_NUMBER}"),
    re.compile(rf"^Overall footprint:\s+{_NUMBER} MB"),
)


def read_output(text: str) -> Times | None:
    """Parse stdout and stderr of the tool; None unless they state runs and a mean above 0."""
    lines = [_PREFIX.sub("", line).rstrip() for line in text.splitlines()]
    values, runs = _times_ms(lines), _runs(lines)
    if runs is None or not values.get("mean"):
        return None
    return Times(
        run=None,
        tool=ToolSummary(
            runs=runs,
            mean_ms=values["mean"],
            min_ms=values.get("min"),
            max_ms=values.get("max"),
            std_ms=values.get("std"),
            median_ms=values.get("median"),
            memory_mb=_memory(lines),
        ),
        load_ms=values.get("init"),
        first_inference_ms=values.get("first"),
    )


def _times_ms(lines: Sequence[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for line in lines:
        if _COUNTED.search(line) and "Timings" not in line:
            # Of two such lines, the first is for the warm-up.
            for name, number in _STATISTIC.findall(line):
                _put(values, name, float(number) / 1000)
        if "Inference timings in us" in line:
            for name, pattern in _CLASSIC.items():
                if match := re.search(pattern, line):
                    _put(values, name, float(match[1]) / 1000)
        for name, pattern in _NEWER.items():
            if match := re.search(pattern, line):
                _put(values, name, float(match[1]))
    return values


def _put(values: dict[str, float], name: str, value: float) -> None:
    if math.isfinite(value) and value >= 0:
        values[name] = value


def _runs(lines: Iterable[str]) -> int | None:
    runs = None
    for line in lines:
        match = _RUNS.search(line) or ("Timings" not in line and _COUNTED.search(line))
        runs = int(match[1]) if match else runs
    return runs or None


def _memory(lines: Sequence[str]) -> float | None:
    for pattern in _MEMORY_MB:
        for line in lines:
            match = pattern.search(line)
            if match and math.isfinite(float(match[1])) and float(match[1]) > 0:
                return float(match[1])
    return None
