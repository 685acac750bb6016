"""What `benchmark_model` prints, in all the formats that its versions have had.

Lines may begin with "INFO: " or, from LiteRT's newer tool, with "INFO: [file.h:12] ". Times of the
inference are in one of

    count=64 first=16067 curr=15102 min=14661 max=17579 avg=15517.6 std=551
    Inference timings in us: Init: 32163, First inference: 19834, Warmup (avg): 15997.4, ...
    Inference (avg):      15.52 ms (64 runs)

Tables of operators have their columns in brackets, separated by tabs, or by two and more spaces
where somebody pasted them; as CSV they are separated by ", ". There is a column [start] or not.
Columns are found by their names. The type of an operator can hold commas, its name cannot.

An operator's row gives an average and how often the operator was called: per inference in the
classic tool, in all inferences in LiteRT's summary. Kernels of several XNNPACK partitions share one
row, so its time in one inference is the average times the calls per inference.

Nothing here raises: what is not understood is left out.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PREFIX = re.compile(r"^\s*(?:INFO|WARNING|ERROR):\s?(?:\[[^\]]*:\d+\]\s?)?")
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"

_CLASSIC = {
    "init_us": rf"\bInit: {_NUMBER}",
    "first_us": rf"\bFirst inference: {_NUMBER}",
    "warmup_us": rf"\bWarmup \(avg\): {_NUMBER}",
    "mean_us": rf"\bInference \(avg\): {_NUMBER}(?! *ms)",
}
_NEWER = {
    "init_us": rf"^Model initialization:\s+{_NUMBER} ms",
    "first_us": rf"^Warmup \(first\):\s+{_NUMBER} ms",
    "warmup_us": rf"^Warmup \(avg\):\s+{_NUMBER} ms",
    "mean_us": rf"^Inference \(avg\):\s+{_NUMBER} ms",
    "min_us": rf"^Inference \(min\):\s+{_NUMBER} ms",
    "max_us": rf"^Inference \(max\):\s+{_NUMBER} ms",
    "std_us": rf"^Inference \(std\):\s+{_NUMBER}",
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

_TYPE, _AVERAGE, _CALLS, _NAME = "node type", "avg ms", "times called", "name"
_INITIALIZATION = "Profiling Info for Benchmark Initialization"
_RUN_ORDER = "Run Order"


@dataclass(frozen=True)
class Operator:
    """A row of the table of operators.

    Attributes:
        type: operator or kernel of a delegate, in the tool's words.
        name: of the operator; "" if there is no such column.
        average_ms: of one call.
        calls: per inference.
    """

    type: str
    name: str
    average_ms: float
    calls: float

    @property
    def total_ms(self) -> float:
        """Its time in one inference."""
        return self.average_ms * self.calls


@dataclass(frozen=True)
class ToolOutput:
    """What the tool said; None and empty where it did not.

    Attributes:
        runs: number of timed inferences.
        mean_us: of the timed inferences, in microseconds.
        min_us: the fastest.
        max_us: the slowest.
        std_us: standard deviation.
        median_us: the median; newer versions print it.
        init_us: loading of the model.
        first_us: first inference.
        warmup_us: mean of the warm-up.
        peak_memory_mb: peak of the process, or else the growth of its memory by the model.
        operators: in the order they run in.
    """

    runs: int | None
    mean_us: float | None
    min_us: float | None
    max_us: float | None
    std_us: float | None
    median_us: float | None
    init_us: float | None
    first_us: float | None
    warmup_us: float | None
    peak_memory_mb: float | None
    operators: tuple[Operator, ...]


def read_output(text: str) -> ToolOutput:
    """Read what the tool printed on stdout and stderr, or wrote as CSV. Raises nothing."""
    lines = [_PREFIX.sub("", line).rstrip() for line in text.splitlines()]
    values = _times(lines)
    runs = _runs(lines)
    return ToolOutput(
        runs=runs,
        mean_us=values.get("mean_us"),
        min_us=values.get("min_us"),
        max_us=values.get("max_us"),
        std_us=values.get("std_us"),
        median_us=values.get("median_us"),
        init_us=values.get("init_us"),
        first_us=values.get("first_us"),
        warmup_us=values.get("warmup_us"),
        peak_memory_mb=_memory(lines),
        operators=_operators(lines, runs),
    )


def _times(lines: Sequence[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for line in lines:
        if _COUNTED.search(line) and "Timings" not in line:
            # Of two such lines the first is of the warm-up.
            for name, number in _STATISTIC.findall(line):
                _put(values, f"{name}_us", number, 1)
        if "Inference timings in us" in line:
            for name, pattern in _CLASSIC.items():
                if match := re.search(pattern, line):
                    _put(values, name, match[1], 1)
        for name, pattern in _NEWER.items():
            if match := re.search(pattern, line):
                _put(values, name, match[1], 1000)
    return values


def _put(values: dict[str, float], name: str, number: str, factor: float) -> None:
    value = factor * float(number)
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


def _operators(lines: Sequence[str], runs: int | None) -> tuple[Operator, ...]:
    """Read the rows of the last table in run order that is not of the initialisation."""
    rows: list[tuple[str, str, float, int]] = []
    columns: list[str] | None = None
    is_csv = is_run_order = is_initialization = False
    for line in lines:
        if "Profiling Info for" in line:
            is_initialization = _INITIALIZATION in line
        if line.startswith("====") or not line.strip():
            is_run_order = _RUN_ORDER in line
            columns = None
            continue
        header = _header(line)
        if header is not None:
            wanted = is_run_order and not is_initialization and _AVERAGE in header
            columns, is_csv = (header if wanted else None), "[" not in line
            if wanted:
                rows = []
        elif columns is not None and (row := _row(line, columns, is_csv)) is not None:
            rows.append(row)
    divisor = math.gcd(*(calls for *_, calls in rows))
    if runs is not None:
        divisor = runs if divisor % runs == 0 else 1
    return tuple(
        Operator(kind, name, average, calls / (divisor or 1)) for kind, name, average, calls in rows
    )


def _header(line: str) -> list[str] | None:
    """Return the names of the columns without their brackets; None if the line is no header."""
    names = re.findall(r"\[([^\[\]]*)\]", line) if "[" in line else line.split(",")
    columns = [name.strip().lower().replace("_", " ") for name in names]
    return columns if columns[:1] == [_TYPE] else None


def _row(line: str, columns: list[str], is_csv: bool) -> tuple[str, str, float, int] | None:
    if is_csv:
        cells = line.split(", ")
        # The type is first and can hold commas.
        extra = len(cells) - len(columns)
        cells = [", ".join(cells[: extra + 1]), *cells[extra + 1 :]] if extra > 0 else cells
    else:
        cells = re.split(r"\t" if "\t" in line.strip() else r"\s{2,}", line.strip())
    if len(cells) != len(columns):
        return None
    row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    try:
        average, calls = float(row[_AVERAGE]), int(row[_CALLS])
    except (KeyError, ValueError):
        return None
    if not (math.isfinite(average) and average >= 0 and calls > 0):
        return None
    return row[_TYPE], row.get(_NAME, ""), average, calls
