"""Latencies of a model from raw rounds, and other values derived from rounds alone."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from statistics import median

import numpy as np
import numpy.typing as npt

from seaformer.benchmark.results.schema import PairRatio, Round
from seaformer.benchmark.runner.record import Span
from seaformer.statistics.bootstrap import paired_ratio

ASLEEP_S = 0.5
"""Shorter times asleep are differences between the readings of two clocks."""

Durations = Iterable[tuple[int, ...]]
"""Timed runs in nanoseconds, block by block."""

ByRound = dict[int, npt.NDArray[np.float64]]
"""Index of a round, or `turn` of its group -> times of one model in it, in milliseconds."""


def times_by_round(rounds: Sequence[Round], model: str) -> ByRound:
    """Return the timed runs of a model in the rounds that are used."""
    return gather(rounds, lambda one: (b.durations_ns for b in one.blocks if b.model == model))


def beside_by_round(rounds: Sequence[Round], model: str) -> ByRound:
    """Return the timed runs of a model beside the load, in the rounds that are used."""
    return gather(rounds, lambda one: (b.durations_ns for b in one.beside if b.model == model))


def run_times(rounds: Sequence[Round], model: str) -> list[npt.NDArray[np.float64]]:
    """Return the timed runs of a model, an array for each round that is used."""
    return list(times_by_round(rounds, model).values())


def gather(rounds: Sequence[Round], runs: Callable[[Round], Durations]) -> ByRound:
    """Return the runs that a function selects from each used round, skipping rounds without any."""
    found: ByRound = {}
    for one in rounds:
        values = [duration for block in runs(one) for duration in block] if one.used else []
        if values:
            key = one.index if one.turn is None else one.turn
            found[key] = np.array(values, dtype=np.float64) / 1e6
    return found


def pair_ratios(models: Iterable[str], rounds: Sequence[Round], seed: int) -> tuple[PairRatio, ...]:
    """Compare every two models over the rounds, or groups of rounds, that both are in."""
    times = {model: times_by_round(rounds, model) for model in models}
    ratios = []
    for base, model in combinations(times, 2):
        common = sorted(times[base].keys() & times[model].keys())
        if common:
            ours, theirs = ([times[name][index] for index in common] for name in (model, base))
            ratio = paired_ratio(ours, theirs, seed)
            ratios.append(PairRatio(model=model, base=base, ratio=ratio))
    return tuple(ratios)


def foreign_load(rounds: Sequence[Round]) -> float | None:
    """Return how many processors other programs kept busy in the median round; None if unknown."""
    states = [one.conditions_after for one in rounds if one.purpose == "measure"]
    loads = [state.foreign_load for state in states if state and state.foreign_load is not None]
    return median(loads) if loads else None


def slept_s(spans: Sequence[Span]) -> float:
    """Return how long the device slept between the first and the last span, in seconds."""
    known = [one.asleep_ns for one in spans if one.asleep_ns is not None]
    return (known[-1] - known[0]) / 1e9 if known else 0.0


def throttled_rounds(rounds: Sequence[Round]) -> list[Round]:
    """Return the rounds in which the device throttled."""
    return [one for one in rounds if one.purpose == "measure" and one.throttled]
