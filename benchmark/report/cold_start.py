"""Cold start: what an app waits for between its start and its second result."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from seaformer.benchmark.results.schema import Results
from seaformer.reporting.numbers import NONE, median
from seaformer.statistics.bootstrap import summarize

STEPS = (
    "process start",
    "runtime library",
    "load",
    "compile",
    "first inference",
    "second inference",
)
"""The steps, in their order."""


@dataclass(frozen=True)
class ColdStart:
    """The cold start of a model.

    Attributes:
        model: its id.
        processes: number of processes in which it was the first model.
        steps: for each of `STEPS`, the median in milliseconds with its interval, as text.
        peak_bytes: peak memory of a process with only this model; None if unknown.
    """

    model: str
    processes: int
    steps: tuple[str, ...]
    peak_bytes: int | None


def cold_starts(results: Results) -> tuple[ColdStart, ...]:
    """Summarize the cold start of every model with correct output that our runner loaded.

    Only processes that loaded the model first count: the others were already warm.
    """
    found = []
    for model in results.models:
        starts = [
            (one.header, one.loaded[0])
            for one in results.rounds
            if one.header is not None and one.loaded and one.loaded[0].id == model.id
        ]
        if not starts or model.is_wrong:
            continue
        times = [
            (
                header.process_start_ms,
                header.library_load_ms,
                loaded.load_ms - (loaded.compile_ms or 0.0),
                loaded.compile_ms,
                loaded.first_inference_ms,
                loaded.warmup_ns[1] / 1e6 if len(loaded.warmup_ns) > 1 else None,
            )
            for header, loaded in starts
        ]
        steps = tuple(_median(values, results) for values in zip(*times, strict=True))
        found.append(ColdStart(model.id, len(starts), steps, model.peak_memory_bytes))
    return tuple(found)


def _median(values: Iterable[float | None], results: Results) -> str:
    known = [np.array([value]) for value in values if value is not None]
    return median(summarize(known, results.protocol.seed)) if known else NONE
