"""Two benchmarks of the same models, made at different times: faster, slower, or not to be told.

The two have no rounds in common, so nothing cancels: a room that got warmer is in the difference.
So a verdict wants more than the intervals of one benchmark do: 99 %, and a difference beyond
`BETWEEN`, which the intervals know nothing of. A regression is a model that is slower by the
verdict, and by more than the tolerance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.errors import SeaformerError, UsageError
from seaformer.statistics.bootstrap import Ratio, Verdict, unpaired_ratio

CONFIDENCE = 0.99
BETWEEN = 0.02
"""What two benchmarks of one file differ by although the rounds of each agree: the clock and the
neighbours of another minute. On a quiet computer their medians were seen to be up to 3 % apart with
intervals of 1 %, see docs/measurements.md. Smaller differences than this show in one
benchmark of both files, where they take turns.
"""


_EMULATED = "a benchmark from an emulated device has no latencies to compare. Measure on a phone."


@dataclass(frozen=True)
class Compared:
    """A model that is in both benchmarks.

    Attributes:
        file: name of the file.
        is_same_file: whether it is the same to the last bit.
        ratio: new time by old time; its interval holds with a probability of `CONFIDENCE`.
        verdict: "slower" or "faster" if the interval is wholly beyond `BETWEEN`; without an
            interval there are too few rounds to tell.
        is_regression: whether it is slower by more than the tolerance.
    """

    file: str
    is_same_file: bool
    ratio: Ratio
    verdict: Verdict
    is_regression: bool


def compare(
    new: Results, old: Results, tolerance: float, anyway: bool = False
) -> tuple[Compared, ...]:
    """Compare the models of the same file name in both, or the only one of each.

    Args:
        new: the later benchmark.
        old: the one it is compared with.
        tolerance: share by which a model may be slower, such as 0.03.
        anyway: whether devices and settings may differ.

    Raises:
        UsageError: they differ in what decides about latency; the message says in what.
        SeaformerError: there is no model in both, or one side has no single runs.
    """
    _refuse(differing(new, old), anyway)
    if new.emulated or old.emulated:
        raise UsageError(_EMULATED)
    pairs = _pairs(new, old)
    if not pairs:
        raise SeaformerError(
            "there is no model of the same file name in both benchmarks that was measured in both. "
            f"New: {_names(new)}. Old: {_names(old)}."
        )
    return tuple(_compare_one(new, old, pair, tolerance) for pair in pairs)


def require_comparable(old: Results, backend: str, threads: int, half: bool, anyway: bool) -> None:
    """Check older results before anything is measured, as far as it is known what will be.

    Raises:
        UsageError: what will be measured cannot be compared with them; the message says why.
    """
    if old.emulated:
        raise UsageError(_EMULATED)
    if not any(run_times(old.rounds, model.id) for model in old.models):
        raise UsageError(
            "the older benchmark has no single runs to compare with: the official tool does not "
            "give them. Measure it again with another --backend."
        )
    _refuse(_unequal(*_settings(backend, threads, half, old)), anyway)


def require_pair(file_names: Sequence[str], old: Results) -> None:
    """Check, before anything is measured, that a model will be in both benchmarks.

    Raises:
        UsageError: none will; two benchmarks of one model each are compared whatever it is called.
    """
    before = [model.file_name for model in old.models if model.times is not None]
    if len(before) == len(file_names) == 1 or not set(before).isdisjoint(file_names):
        return
    raise UsageError(
        f"none of {', '.join(file_names)} is in the older benchmark, which has "
        f"{', '.join(before) or 'no measured model'}. Give files of the same names, or one each."
    )


def require_same_device(serial: str, cores: str | None, old: Results, anyway: bool) -> None:
    """Check, before anything is measured, that it will be where older results are from.

    Args:
        serial: of the device.
        cores: mask of the cores that will be measured on; None for several choices.
        old: the older results.
        anyway: whether they may differ.

    Raises:
        UsageError: it is another device, or its other cores.
    """
    mask = old.cores.mask if cores is None else cores
    _refuse(
        _unequal(("device", serial, old.device.serial), ("cores", mask, old.cores.mask)), anyway
    )


def _refuse(differences: Sequence[str], anyway: bool) -> None:
    if differences and not anyway:
        raise UsageError(
            f"the two benchmarks cannot be compared: {'; '.join(differences)}. Measure again with "
            "the same settings, or add --compare-anyway."
        )


Sides = tuple[str, str, str]
"""What a setting is called, what it is now, and what it was before."""


def _settings(backend: str, threads: int, half: bool, old: Results) -> tuple[Sides, ...]:
    return (
        ("backend", backend, old.backend),
        ("threads", str(threads), str(old.threads)),
        ("half precision", str(half).lower(), str(old.protocol.half).lower()),
    )


def _power(results: Results) -> str:
    return results.protocol.npu_power or "none"


def _unequal(*sides: Sides) -> list[str]:
    return [f"{what} {one}, before {other}" for what, one, other in sides if one != other]


def differing(new: Results, old: Results) -> list[str]:
    """Say in what the two differ that decides about latency."""
    device, device_before = (
        f"{side.device.serial} ({side.device.model or 'unknown'})" for side in (new, old)
    )
    found = _unequal(
        ("device", device, device_before),
        *_settings(new.backend, new.threads, new.protocol.half, old),
        ("cores", new.cores.mask, old.cores.mask),
        ("power mode of the NPU", _power(new), _power(old)),
    )
    for model, before in _pairs(new, old):
        given, given_before = (
            f"{side.input.dtype} {list(side.input.shape)} from {side.input.source}"
            for side in (model, before)
        )
        if given != given_before:
            found.append(f"input of {model.label} {given}, before {given_before}")
    return found


def _compare_one(
    new: Results, old: Results, pair: tuple[ModelResult, ModelResult], tolerance: float
) -> Compared:
    model, before = pair
    times = run_times(new.rounds, model.id), run_times(old.rounds, before.id)
    if not all(times):
        raise SeaformerError(
            f"there are no single runs of '{model.label}' in both benchmarks: the official tool "
            "does not give them. Measure with another --backend."
        )
    ratio = unpaired_ratio(*times, seed=new.protocol.seed, confidence=CONFIDENCE)
    verdict = ratio.verdict(BETWEEN)
    return Compared(
        file=model.label,
        is_same_file=model.sha256 == before.sha256,
        ratio=ratio,
        verdict=verdict,
        is_regression=verdict == "slower" and ratio.value > 1 + tolerance,
    )


def _pairs(new: Results, old: Results) -> list[tuple[ModelResult, ModelResult]]:
    ours = [model for model in new.models if model.times is not None]
    theirs = [model for model in old.models if model.times is not None]
    if len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    pairs = []
    for model in ours:
        same = next((before for before in theirs if before.label == model.label), None)
        if same is not None:
            theirs.remove(same)
            pairs.append((model, same))
    return pairs


def _names(results: Results) -> str:
    return ", ".join(model.label for model in results.models)
