"""From raw rounds to what is told of each model: times, ratios, warnings."""

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import median

import numpy as np
import numpy.typing as npt

from seaformer.benchmark.candidate import Candidate
from seaformer.benchmark.parity import Parity
from seaformer.benchmark.results import ModelResult, PairRatio, Results, Round, Times
from seaformer.statistics.bootstrap import Summary, paired_ratio, summarize

QUANTIZED = ("int8", "dynamic-int8", "int16x8")

ByRound = dict[int, npt.NDArray[np.float64]]
"""Index of a round, or number of its turn -> times of one model in it, in milliseconds."""


def times_by_round(rounds: Sequence[Round], model: str) -> ByRound:
    """Return the timed runs of a model in the rounds that count."""
    return _gather(rounds, lambda one: [b.durations_ns for b in one.blocks if b.model == model])


def run_times(rounds: Sequence[Round], model: str) -> list[npt.NDArray[np.float64]]:
    """Return the timed runs of a model, an array for each round that counts."""
    return list(times_by_round(rounds, model).values())


def model_result(
    candidate: Candidate,
    rounds: Sequence[Round],
    parity: Parity | None,
    tool: Times | None,
    note: str,
    *,
    emulated: bool,
    seed: int,
) -> ModelResult:
    """Summarise one model.

    Args:
        candidate: the model.
        rounds: all of the benchmark.
        parity: its output against the reference; None if it could not be compared.
        tool: the times that an official tool gave; None if our runner measured.
        note: what else a user should know; may be empty.
        emulated: whether the device is.
        seed: of the bootstrap.
    """
    is_wrong = parity is not None and not parity.passed
    times = None if is_wrong else tool or _times(rounds, candidate.id, seed)
    checks = [one for one in rounds if one.purpose == "check" and _has(one, candidate.id)]
    return ModelResult(
        id=candidate.id,
        file=str(candidate.path),
        bytes=candidate.file_bytes,
        sha256=candidate.sha256,
        title=candidate.title,
        precision=candidate.precision,
        facts=candidate.facts,
        input=candidate.input,
        note=note,
        parity=parity,
        latency=None if emulated else times,
        emulated=times if emulated else None,
        peak_memory_bytes=checks[0].peak_memory_bytes if checks else None,
    )


def pair_ratios(
    candidates: Sequence[Candidate], rounds: Sequence[Round], seed: int
) -> tuple[PairRatio, ...]:
    """Compare every two models by the rounds, or turns, that both are in."""
    times = {one.id: times_by_round(rounds, one.id) for one in candidates}
    ratios = []
    for base, model in combinations(times, 2):
        common = sorted(times[base].keys() & times[model].keys())
        if common:
            ours, theirs = ([times[name][index] for index in common] for name in (model, base))
            ratio = paired_ratio(ours, theirs, seed)
            ratios.append(PairRatio(model=model, base=base, ratio=ratio))
    return tuple(ratios)


def slower_than_float(results: Results) -> list[str]:
    """Name the quantised models that are not faster than their twin in single precision."""
    found = []
    for model in results.models:
        twin = next((other for other in results.models if _are_twins(model, other)), None)
        if twin is None:
            continue
        ratio = results.ratio(model.id, twin.id)
        if ratio is None:
            continue
        value = ratio.value
        if (value if ratio.interval is None else ratio.interval.high) >= 1:
            how = "is slower than" if value >= 1 else "cannot be told to be faster than"
            found.append(
                f"{model.file} ({model.precision}) {how} {twin.file} (fp32) here: {value:.2f} times"
                " its time"
            )
    return found


def foreign_load_of(rounds: Sequence[Round]) -> float | None:
    """Return how many processors other programs kept busy in a middling round; None if unknown."""
    states = [one.conditions_after for one in rounds if one.purpose == "measure"]
    loads = [state.foreign_load for state in states if state and state.foreign_load is not None]
    return median(loads) if loads else None


def throttled(rounds: Sequence[Round]) -> list[Round]:
    """Return the rounds in which the device throttled."""
    return [one for one in rounds if one.purpose == "measure" and one.throttled]


def _times(rounds: Sequence[Round], model: str, seed: int) -> Times | None:
    runs = run_times(rounds, model)
    if not runs:
        return None
    loaded = [one for round in rounds for one in round.loaded if one.id == model]
    return Times(
        run=summarize(runs, seed),
        load_ms=median(one.load_ms for one in loaded),
        first_inference_ms=median(one.first_inference_ms for one in loaded),
        classes=_tail(rounds, model, "classes", seed),
        mask=_tail(rounds, model, "mask", seed),
    )


def _tail(rounds: Sequence[Round], model: str, kind: str, seed: int) -> Summary | None:
    def runs(one: Round) -> list[tuple[int, ...]]:
        tails = (t for t in one.tails if (t.model, t.kind) == (model, kind))
        return [tail.durations_ns for tail in tails]

    gathered = list(_gather(rounds, runs).values())
    return summarize(gathered, seed) if gathered else None


def _gather(rounds: Sequence[Round], runs: Callable[[Round], Sequence[tuple[int, ...]]]) -> ByRound:
    found: ByRound = {}
    for one in rounds:
        values = [duration for part in runs(one) for duration in part] if one.used else []
        if values:
            key = one.index if one.turn is None else one.turn
            found[key] = np.array(values, dtype=np.float64) / 1e6
    return found


def _has(one: Round, model: str) -> bool:
    return any(loaded.id == model for loaded in one.loaded)


def _are_twins(model: ModelResult, other: ModelResult) -> bool:
    """Whether `other` is `model` in single precision, by their metadata."""
    if model.precision not in QUANTIZED or other.precision != "fp32":
        return False
    ours, theirs = model.facts, other.facts
    return (ours.variant, ours.model, ours.task, ours.head, model.input.shape) == (
        theirs.variant,
        theirs.model,
        theirs.task,
        theirs.head,
        other.input.shape,
    )
