"""Comparing two benchmarks of the same models that were made at different times.

The two have no rounds in common, so drift does not cancel: a warmer room looks like a slowdown.
A verdict therefore needs more than within one benchmark: 99 % intervals, and a difference of more
than `BETWEEN`, which the intervals do not cover. A regression is a slowdown whose whole interval is
beyond the tolerance; if only a part of it is, the comparison is inconclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seaformer.benchmark.devices.device import DeviceFacts
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import NATIVE, ModelResult, Results
from seaformer.errors import SeaformerError, UsageError
from seaformer.statistics.bootstrap import Ratio, Verdict, unpaired_ratio

CONFIDENCE = 0.99
BETWEEN = 0.02
"""Difference between two benchmarks of one file that their intervals do not cover, because clock
frequency and background load change between them. On a quiet computer medians were up to 3 % apart
with intervals of 1 %, see docs/measurements.md. To measure smaller differences, benchmark both
files together, so that their runs are interleaved.
"""


Passage = Literal["passed", "regression", "inconclusive"]

_EMULATED = "a benchmark on an emulated device has no latencies to compare. Measure on a phone."


@dataclass(frozen=True)
class Compared:
    """A model that is in both benchmarks.

    Attributes:
        new: the model in the later benchmark.
        old: the model in the earlier one; it may have another name if each has only one model.
        ratio: new latency / old latency, with an interval at the confidence level `CONFIDENCE`.
        verdict: "slower" or "faster" if the whole interval is beyond `BETWEEN`; "too few rounds"
            if there were too few for an interval; else "not distinguishable".
        passage: whether it is slower by more than the tolerance: "regression" if the whole interval
            is above `highest_ratio`, "passed" if none of it is, else "inconclusive".
    """

    new: ModelResult
    old: ModelResult
    ratio: Ratio
    verdict: Verdict
    passage: Passage

    @property
    def file(self) -> str:
        """Display name of the model in the later benchmark."""
        return self.new.label

    @property
    def is_same_file(self) -> bool:
        """Whether both files are bit-identical."""
        return self.new.sha256 == self.old.sha256

    @property
    def is_regression(self) -> bool:
        """Whether it is slower by more than the tolerance."""
        return self.passage == "regression"

    @property
    def outcome(self) -> str:
        """The verdict, and whether it is a regression or inconclusive, as text."""
        return self.verdict if self.passage == "passed" else f"{self.verdict}: {self.passage}"


def highest_ratio(tolerance: float) -> float:
    """Return the highest ratio that is not a regression; it is at least 1 + `BETWEEN`."""
    return 1 + max(tolerance, BETWEEN)


def passage(ratio: Ratio, tolerance: float) -> Passage:
    """Return whether a ratio is a regression, as `Compared.passage` describes."""
    if ratio.interval is None:
        return "inconclusive"
    highest = highest_ratio(tolerance)
    if ratio.interval.low > highest:
        return "regression"
    return "passed" if ratio.interval.high <= highest else "inconclusive"


def compare(
    new: Results, old: Results, tolerance: float, anyway: bool = False
) -> tuple[Compared, ...]:
    """Compare models with the same file name, or the two models if each benchmark has only one.

    Args:
        new: the later benchmark.
        old: the earlier benchmark.
        tolerance: relative slowdown that is not a regression, such as 0.03.
        anyway: whether devices and settings may differ.

    Raises:
        UsageError: they differ in a setting that affects latency; the message names it.
        SeaformerError: they have no model in common, or one side has no individual runs.
    """
    _refuse(differing(new, old), anyway)
    if new.emulated or old.emulated:
        raise UsageError(_EMULATED)
    pairs = _pairs(new, old)
    if not pairs:
        raise SeaformerError(
            "the two benchmarks have no measured model with the same file name in common. "
            f"New: {_names(new)}. Old: {_names(old)}."
        )
    return tuple(_compare_one(new, old, pair, tolerance) for pair in pairs)


def require_comparable(old: Results, backend: str, threads: int, half: bool, anyway: bool) -> None:
    """Check older results against the settings known before measuring.

    Raises:
        UsageError: the new benchmark could not be compared with them; the message explains why.
    """
    if old.emulated:
        raise UsageError(_EMULATED)
    if not any(run_times(old.rounds, model.id) for model in old.models):
        raise UsageError(
            "the older benchmark has no individual runs to compare with: the official tool does "
            "not report them. Measure it again with another --backend."
        )
    program = ("measured by", NATIVE, old.measured_by)
    _refuse(_unequal(program, *_settings(backend, threads, half, old)), anyway)


def require_pair(file_names: Sequence[str], old: Results) -> None:
    """Check before measuring that both benchmarks will have a model in common.

    Raises:
        UsageError: they will not. If each has only one model, their names may differ.
    """
    before = [model.file_name for model in old.models if model.times is not None]
    if len(before) == len(file_names) == 1 or not set(before).isdisjoint(file_names):
        return
    raise UsageError(
        f"none of {', '.join(file_names)} is in the older benchmark, which has "
        f"{', '.join(before) or 'no measured model'}. Give files of the same names, or one each."
    )


def require_same_device(device: DeviceFacts, cores: str | None, old: Results, anyway: bool) -> None:
    """Check before measuring that device and cores match older results.

    Args:
        device: facts about the device.
        cores: mask of the cores to measure on; None if several choices of cores are compared.
        old: the older results.
        anyway: whether they may differ.

    Raises:
        UsageError: device or cores differ.
    """
    mask = old.cores.mask if cores is None else cores
    _refuse(
        [*_other_device(device, old.device), *_unequal(("cores", mask, old.cores.mask))], anyway
    )


def _refuse(differences: Sequence[str], anyway: bool) -> None:
    if differences and not anyway:
        raise UsageError(
            f"the two benchmarks cannot be compared: {'; '.join(differences)}. Measure again with "
            "the same settings, or add --compare-anyway."
        )


Sides = tuple[str, str, str]
"""Name of a setting, its new value, and its old value."""


def _settings(backend: str, threads: int, half: bool, old: Results) -> tuple[Sides, ...]:
    return (
        ("backend", backend, old.backend),
        ("threads", str(threads), str(old.threads)),
        ("half precision", str(half).lower(), str(old.protocol.half).lower()),
    )


def _described(results: Results) -> str:
    return "none" if results.browser is None else results.browser.setting


def browser_cautions(new: Results, old: Results) -> list[str]:
    """Return what a ratio between two benchmarks means if a browser measured one or both."""
    in_browser = [side.browser is not None for side in (new, old)]
    if all(in_browser):
        return [
            "A browser does not identify its device: whether both benchmarks are of the same one "
            "is unknown."
        ]
    if any(in_browser):
        return [
            "A browser measured one of the benchmarks, and a program on the device the other: the "
            "ratio includes the difference between the browser's runtime and the device's."
        ]
    return []


def _power(results: Results) -> str:
    return results.protocol.npu_power or "none"


def _unequal(*sides: Sides) -> list[str]:
    return [f"{what} {one}, previously {other}" for what, one, other in sides if one != other]


def _other_device(new: DeviceFacts, old: DeviceFacts) -> list[str]:
    if new.is_same(old):
        return []
    one, other = (f"{side.serial} ({side.model or 'unknown'})" for side in (new, old))
    return [f"device {one}, previously {other}"]


def differing(new: Results, old: Results) -> list[str]:
    """Return a description of each difference that affects latency."""
    found = _other_device(new.device, old.device)
    found += _unequal(
        ("measured by", new.measured_by, old.measured_by),
        ("the browser's description of the device", _described(new), _described(old)),
        *_settings(new.backend, new.threads, new.protocol.half, old),
        ("cores", new.cores.mask or new.cores.name, old.cores.mask or old.cores.name),
        ("power mode of the NPU", _power(new), _power(old)),
    )
    for model, before in _pairs(new, old):
        given, given_before = (
            f"{side.input.dtype} {list(side.input.shape)} from {side.input.source}"
            for side in (model, before)
        )
        if given != given_before:
            found.append(f"input of {model.label} {given}, previously {given_before}")
    return found


def _compare_one(
    new: Results, old: Results, pair: tuple[ModelResult, ModelResult], tolerance: float
) -> Compared:
    model, before = pair
    times = run_times(new.rounds, model.id), run_times(old.rounds, before.id)
    if not all(times):
        raise SeaformerError(
            f"'{model.label}' does not have individual runs in both benchmarks: the official tool "
            "does not report them. Measure with another --backend."
        )
    ratio = unpaired_ratio(*times, seed=new.protocol.seed, confidence=CONFIDENCE)
    return Compared(
        new=model,
        old=before,
        ratio=ratio,
        verdict=ratio.verdict(BETWEEN),
        passage=passage(ratio, tolerance),
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
