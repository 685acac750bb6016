"""The results of one model, from the rounds in which it was measured."""

from collections.abc import Callable, Sequence
from statistics import median

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.results.breakdown import Breakdown
from seaformer.benchmark.results.rounds import beside_by_round, gather, run_times, times_by_round
from seaformer.benchmark.results.schema import (
    AddedMemory,
    BesideTimes,
    CoresUsed,
    FrameTimes,
    ModelResult,
    Parity,
    Round,
    Times,
)
from seaformer.benchmark.runner.record import FrameRuns
from seaformer.statistics.bootstrap import Summary, paired_ratio, summarize


def model_result(
    candidate: Candidate,
    rounds: Sequence[Round],
    parity: Parity | None,
    tool: Times | None,
    note: str,
    *,
    emulated: bool,
    seed: int | None,
    cores: CoresUsed | None = None,
    breakdown: Callable[[Times], Breakdown | None] = lambda _: None,
) -> ModelResult:
    """Summarize one model.

    Args:
        candidate: the model.
        rounds: all rounds of the benchmark.
        parity: its output compared with the reference; None if it could not be compared.
        tool: the times reported by an official tool; None if our own runner measured.
        note: remark for the user; may be empty.
        emulated: whether the device is emulated.
        seed: random seed of the bootstrap; None to omit intervals.
        cores: the cores of the model's own setting; None if it has none.
        breakdown: computes the latency by module from the model's times.
    """
    is_wrong = parity is not None and not parity.passed
    times = None if is_wrong else tool or _times(rounds, candidate.id, seed)
    alone = (
        one
        for one in rounds
        if one.purpose == "check" and candidate.id in [loaded.id for loaded in one.loaded]
    )
    check = next(alone, None)
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
        peak_memory_bytes=None if check is None else check.peak_memory_bytes,
        memory=None if check is None else added_memory(check),
        coverage=None if check is None else check.coverage,
        breakdown=None if times is None else breakdown(times),
        threads=None if candidate.setting is None else candidate.setting.threads,
        cores=cores,
    )


def added_memory(check: Round) -> AddedMemory | None:
    """Return the memory that the only model of a round adds to its process; None if unknown."""
    base, compiled = check.library_memory_bytes, check.loaded[0].compiled_bytes
    if base is None or compiled is None:
        return None
    peak = check.peak_memory_bytes
    return AddedMemory(
        compiled_bytes=max(0, compiled - base), peak_bytes=peak and max(0, peak - base)
    )


def _times(rounds: Sequence[Round], model: str, seed: int | None) -> Times | None:
    runs = run_times(rounds, model)
    if not runs:
        return None
    loaded = [
        one
        for round in rounds
        for one in round.loaded
        if one.id == model and one.cache_bytes is None
    ]
    return Times(
        run=summarize(runs, seed),
        load_ms=median(one.load_ms for one in loaded),
        first_inference_ms=median(one.first_inference_ms for one in loaded),
        classes=_post_processing(rounds, model, "classes", seed),
        mask=_post_processing(rounds, model, "mask", seed),
        frame=_frame_times(rounds, model, seed),
        beside=beside_times(rounds, model, seed),
    )


def beside_times(rounds: Sequence[Round], model: str, seed: int | None) -> BesideTimes | None:
    """Summarize the runs of a model beside the load; None without any.

    `seed` is for the bootstrap; None to omit intervals.
    """
    alone, beside = times_by_round(rounds, model), beside_by_round(rounds, model)
    common = sorted(alone.keys() & beside.keys())
    if not common:
        return None
    runs = [beside[key] for key in common]
    blocks = [block for one in rounds if one.used for block in one.beside if block.model == model]
    count = sum(block.load_count or 0 for block in blocks)
    return BesideTimes(
        run=summarize(runs, seed),
        ratio=paired_ratio(runs, [alone[key] for key in common], seed) if count else None,
        load_count=count,
        load_per_s=1e9 * count / sum(sum(block.durations_ns) for block in blocks),
        load_cores=tuple(sorted({cpu for block in blocks for cpu in block.load_cpus})),
    )


def _frame_times(rounds: Sequence[Round], model: str, seed: int | None) -> FrameTimes | None:
    def summary(stage: Callable[[FrameRuns], tuple[int, ...] | None]) -> Summary | None:
        found = gather(
            rounds, lambda one: (stage(runs) or () for runs in one.frames if runs.model == model)
        )
        return summarize(list(found.values()), seed) if found else None

    whole = summary(lambda runs: runs.durations_ns)
    preparation, inference = (
        summary(lambda runs: runs.preparation_ns),
        summary(lambda runs: runs.inference_ns),
    )
    if whole is None or preparation is None or inference is None:
        return None
    return FrameTimes(
        preparation_ms=preparation,
        inference_ms=inference,
        post_processing_ms=summary(lambda runs: runs.post_processing_ns),
        frame_ms=whole,
    )


def _post_processing(
    rounds: Sequence[Round], model: str, kind: str, seed: int | None
) -> Summary | None:
    wanted = (model, kind)
    found = gather(
        rounds, lambda one: (t.durations_ns for t in one.tails if (t.model, t.kind) == wanted)
    )
    return summarize(list(found.values()), seed) if found else None
