"""Reading the CSV profile that ONNX Runtime's QNN execution provider writes at level "detailed".

Every run of a partition has a line "Accelerator (execute) time (cycles)", followed by a line for
each node with its cycles.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError, quoted

MESSAGE, TIME, UNIT, EVENT = "Message", "Time", "Unit of Measurement", "Event Identifier"
RUN = "Accelerator (execute) time (cycles)"
HOW = "Create one with the provider options profiling_level=detailed and profiling_file_path."

_CYCLES = re.compile(r"[0-9]{1,18}")
"""18 digits are enough for the cycles of more than a year."""

LIMIT = 2**26
"""Limit for the file in bytes; a run writes 27 KB."""


@dataclass(frozen=True)
class NodeCycles:
    """An event of a node.

    Attributes:
        name: its name, assigned by the compiler.
        cycles: mean of the runs.
    """

    name: str
    cycles: float


@dataclass(frozen=True)
class QnnProfile:
    """The content of a profile.

    Attributes:
        partitions: for each subgraph that the NPU ran, its events in order.
        runs: number of runs of the model.
    """

    partitions: tuple[tuple[NodeCycles, ...], ...]
    runs: int


def read_qnn_profile(path: Path) -> QnnProfile:
    """Read a profile.

    Raises:
        SeaformerError: the file is missing, is not such a profile, or has no node events.
    """
    try:
        if path.stat().st_size > LIMIT:
            raise SeaformerError(
                f"'{path}' has more than {LIMIT >> 20} MB: it is not a QNN profile."
            )
        with path.open(encoding="utf-8", newline="") as file:
            runs = list(_runs(csv.DictReader(file), path))
    except OSError as error:
        raise SeaformerError(f"the profile '{path}' cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SeaformerError(f"'{path}' is not a QNN profile: it is not a CSV. {HOW}") from error
    by_names: dict[tuple[str, ...], list[Sequence[int]]] = {}
    for run in runs:
        by_names.setdefault(tuple(name for name, _ in run), []).append(
            [cycles for _, cycles in run]
        )
    by_names.pop((), None)
    counts = {len(of_partition) for of_partition in by_names.values()}
    if len(counts) != 1:
        what = "has runs with different events" if counts else "has no node events"
        raise SeaformerError(
            f"'{path}' {what}, so its cycles cannot be attributed to modules. {HOW}"
        )
    partitions = tuple(
        tuple(
            NodeCycles(name, sum(cycles) / len(cycles))
            for name, *cycles in zip(names, *of_partition, strict=True)
        )
        for names, of_partition in by_names.items()
    )
    return QnnProfile(partitions, counts.pop())


def _runs(lines: Iterable[Mapping[str, str | None]], path: Path) -> Iterator[list[tuple[str, int]]]:
    """Yield the events of every run of every partition."""
    run: list[tuple[str, int]] | None = None
    for number, line in enumerate(lines, 2):
        message, time, unit, event = (line.get(name) for name in (MESSAGE, TIME, UNIT, EVENT))
        if message is None or time is None or unit is None or event is None:
            raise SeaformerError(
                f"line {number} of '{path}' lacks a column {MESSAGE}, {TIME}, {UNIT} or {EVENT}: "
                f"it is not a QNN profile. {HOW}"
            )
        if event == RUN:
            if run is not None:
                yield run
            run = []
        elif message == "NODE" and run is not None:
            if unit != "CYCLES" or not _CYCLES.fullmatch(time):
                raise SeaformerError(
                    f"line {number} of '{path}' has {quoted(time)} {quoted(unit)} for a node. "
                    f"Allowed: a whole number of CYCLES. {HOW}"
                )
            run.append((event, int(time)))
    if run is not None:
        yield run
