"""Caveats about the numbers of a benchmark, as text."""

from collections.abc import Iterator, Sequence

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.devices.device import Conditions
from seaformer.benchmark.devices.power import STAY_AWAKE, slowed_by_power
from seaformer.benchmark.results.rounds import ASLEEP_S, foreign_load, slept_s, throttled_rounds
from seaformer.benchmark.results.schema import ModelResult, PairRatio, Round, find_ratio

BUSY = 0.25
"""If other programs keep more processors busy than this, latencies are affected; on an idle desktop
it is 0.1."""


def slow_by_power(before: Conditions) -> Iterator[str]:
    """Yield warnings that the device saved power when the benchmark started."""
    for seen, advice in slowed_by_power(before):
        yield f"{seen}, so latencies may be higher than usual. {advice}"


def slower_than_float(models: Sequence[ModelResult], ratios: Sequence[PairRatio]) -> Iterator[str]:
    """Name the quantized models that are not faster than the same model in single precision."""
    for model in models:
        single = next((other for other in models if _is_single(other, model)), None)
        ratio = None if single is None else find_ratio(ratios, model.id, single.id)
        if single is None or ratio is None:
            continue
        value = ratio.value
        if (value if ratio.interval is None else ratio.interval.high) >= 1:
            how = "is slower than" if value >= 1 else "is not measurably faster than"
            yield (
                f"{model.file} ({model.precision}) {how} {single.file} (fp32) here: {value:.2f} "
                "times its latency"
            )


def missing_breakdowns(models: Sequence[ModelResult]) -> Iterator[str]:
    """Name the models whose requested breakdown is missing or limited."""
    for model in models:
        if model.breakdown is None and model.times is not None:
            yield f"{model.file}: no breakdown, because neither method produced one"
    for model in models:
        if model.breakdown is not None and model.breakdown.method == "prefix":
            yield from (f"{model.file}: {note}" for note in model.breakdown.notes[:1])


def partly_accelerated(models: Sequence[ModelResult], accelerator: str) -> Iterator[str]:
    """Name the models that ran only partly on the accelerator, which is given by its title."""
    for model in models:
        coverage = model.coverage
        if coverage is not None and not coverage.full:
            ran = "only some operators" if coverage.taken is None else f"{coverage} operators"
            yield (
                f"{model.file}: the {accelerator} ran {ran}, and the CPU ran the rest. See "
                "seaformer-export --lint; --require-full-acceleration refuses such files"
            )


def disturbances(rounds: Sequence[Round]) -> Iterator[str]:
    """Warn if the device throttled, or if other programs kept it busy."""
    if hot := throttled_rounds(rounds):
        what = "were used" if hot[0].used else "were measured again"
        measured = sum(one.purpose == "measure" for one in rounds)
        yield (
            f"the device throttled in {len(hot)} of {measured} rounds, and such rounds {what}: "
            f"{hot[0].throttled}"
        )
    if (load := foreign_load(rounds)) is not None and load > BUSY:
        yield (
            f"other programs kept {load:.1f} of this computer's processors busy during the "
            "measurement: latencies are higher and less certain; ratios are affected less"
        )


def unproven_loads(models: Sequence[ModelResult]) -> Iterator[str]:
    """Name the models during whose runs the load completed nothing."""
    for model in models:
        if model.beside is not None and not model.beside.load_count:
            yield (
                f"{model.file}: the load completed nothing during its runs, so no ratio is stated: "
                "request more --runs, or another --beside"
            )


def sleeps(rounds: Sequence[Round]) -> Iterator[str]:
    """Report that the device slept during a run of minutes."""
    for one in rounds:
        seconds = slept_s(one.spans)
        if seconds > ASLEEP_S:
            yield (
                f"the device slept for {seconds:.1f} s while a model ran, which is not part of its "
                f"curve, but lets it cool down. {STAY_AWAKE}"
            )


def wide_intervals(models: Sequence[ModelResult], until: float) -> Iterator[str]:
    """Name the models whose intervals are wider than requested, relative to the median."""
    for model in models:
        run = None if model.times is None else model.times.run
        width = None if run is None else run.relative_half_width
        if width is not None and width > until:
            yield (
                f"{model.file}{model.setting}: the interval is ±{100 * width:.1f} %, not "
                f"±{100 * until:g} %: the time limit was reached first"
            )


def _is_single(other: ModelResult, model: ModelResult) -> bool:
    """Whether the metadata shows that `other` is the quantized `model` in single precision."""
    quantized = model.precision in PRECISIONS and PRECISIONS[model.precision].is_quantized
    return quantized and other.precision == "fp32" and _identity(model) == _identity(other)


def _identity(model: ModelResult) -> tuple[object, ...]:
    facts = model.facts
    return facts.variant, facts.model, facts.task, facts.head, model.input.shape
