"""Cold start: what an app waits for between its start and its second result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seaformer.benchmark.results.schema import ModelResult, Results, Round
from seaformer.reporting.numbers import NONE, median, ratio
from seaformer.statistics.bootstrap import Ratio, paired_ratio, summarize

STEPS = (
    "process start",
    "runtime library",
    "load",
    "compile",
    "first inference",
    "second inference",
)
"""The steps, in their order."""

_Times = tuple[float | None, ...]


@dataclass(frozen=True)
class ColdStart:
    """The cold start of a model, without or with the runtime's compilation cache.

    Attributes:
        model: its id.
        with_cache: whether it was compiled with the cache.
        processes: number of processes in which it was the first model.
        steps: for each of `STEPS`, the median in milliseconds with its interval, as text.
        total: the same for all steps together.
        ratio: with / without the cache, of all steps together, as text.
        peak_bytes: peak memory of a process with only this model; None if unknown.
        cache_bytes: size of the cache; None without one.
    """

    model: str
    with_cache: bool
    processes: int
    steps: tuple[str, ...]
    total: str
    ratio: str
    peak_bytes: int | None
    cache_bytes: int | None


def cold_starts(results: Results) -> tuple[ColdStart, ...]:
    """Summarize the cold starts of every model with correct output that our runner loaded.

    Only processes count in which the model was loaded first: the others are warm already.
    """
    found = []
    for model in results.models:
        if model.is_wrong:
            continue
        for with_cache in (False, True):
            if rounds := _starts(results, model, with_cache):
                found.append(_cold_start(results, model, rounds, with_cache))
    return tuple(found)


def _starts(results: Results, model: ModelResult, with_cache: bool) -> list[Round]:
    return [
        one
        for one in results.rounds
        if one.header is not None
        and one.loaded
        and one.loaded[0].id == model.id
        and one.purpose != "fill"
        and (one.loaded[0].cache_bytes is not None) == with_cache
    ]


def _cold_start(
    results: Results, model: ModelResult, rounds: Sequence[Round], with_cache: bool
) -> ColdStart:
    times = [_times(one) for one in rounds]
    seed = results.protocol.seed
    peaks = [one.peak_memory_bytes for one in rounds if one.peak_memory_bytes is not None]
    return ColdStart(
        model=model.id,
        with_cache=with_cache,
        processes=len(rounds),
        steps=tuple(_median(values, seed) for values in zip(*times, strict=True)),
        total=_median(map(_total, times), seed),
        ratio=ratio(cache_ratio(results, model)) if with_cache else NONE,
        peak_bytes=sorted(peaks)[len(peaks) // 2]
        if with_cache and peaks
        else model.peak_memory_bytes,
        cache_bytes=rounds[0].loaded[0].cache_bytes,
    )


def cache_ratio(results: Results, model: ModelResult) -> Ratio | None:
    """Time of a whole start with the cache / without it, over pairs of processes.

    None if it was not measured both ways, and if the device is emulated.
    """
    without, cached = (
        {
            one.turn: np.array([_total(_times(one))])
            for one in _starts(results, model, with_cache)
            if one.purpose == "start"
        }
        for with_cache in (False, True)
    )
    common = sorted(turn for turn in without.keys() & cached.keys() if turn is not None)
    if not common or results.emulated:
        return None
    with_it, base = ([times[turn] for turn in common] for times in (cached, without))
    return paired_ratio(with_it, base, results.protocol.seed)


def _times(one: Round) -> _Times:
    header, loaded = one.header, one.loaded[0]
    assert header is not None
    return (
        header.process_start_ms,
        header.library_load_ms,
        loaded.load_ms - (loaded.compile_ms or 0.0),
        loaded.compile_ms,
        loaded.first_inference_ms,
        loaded.warmup_ns[1] / 1e6 if len(loaded.warmup_ns) > 1 else None,
    )


def _total(times: _Times) -> float:
    return sum(value for value in times if value is not None)


def _median(values: Iterable[float | None], seed: int) -> str:
    known = [np.array([value]) for value in values if value is not None]
    return median(summarize(known, seed)) if known else NONE
