"""The regression gate: the result of a comparison with an older benchmark, for CI.

Every model that was measured, or should have been, is a `Case`. The exit status and the summary are
those of the worst case; JUnit XML (`presentation/junit.py`) contains all cases.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seaformer.benchmark.results.comparison import CONFIDENCE, Compared, highest_ratio
from seaformer.benchmark.results.exit_status import INCONCLUSIVE, REGRESSION
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.reporting.numbers import ratio

Outcome = Literal["failed", "regression", "inconclusive", "not compared", "passed"]

WORST_FIRST: tuple[Outcome, ...] = (
    "failed",
    "regression",
    "inconclusive",
    "not compared",
    "passed",
)

NAMED = 3
"""Largest number of models that the summary names."""


@dataclass(frozen=True)
class Case:
    """A model on a device.

    Attributes:
        device: serial number of the device, as `DeviceFacts.identity`.
        model: display name of the model.
        outcome: "failed" without a latency, because the output is wrong or nothing was measured;
            "not compared" if the older benchmark does not have the model.
        reason: explanation of the outcome, without a final period.
        measured_s: duration of its timed runs, in seconds.
    """

    device: str
    model: str
    outcome: Outcome
    reason: str
    measured_s: float = 0.0


def cases_of(
    new: Results, old: Results | None, compared: Sequence[Compared], tolerance: float
) -> list[Case]:
    """Return a case for every model of a benchmark, and for those that only the older one has.

    Args:
        new: the benchmark.
        old: the older benchmark; None if there is none of this device.
        compared: their comparison.
        tolerance: relative slowdown that is not a regression.
    """
    device = new.device.identity
    by_id = {one.new.id: one for one in compared}
    cases = [
        Case(
            device,
            new.names[model.id],
            *_outcome(model, by_id.get(model.id), old is not None, tolerance),
            measured_s=_measured_s(new, model.id),
        )
        for model in new.models
    ]
    if old is not None:
        known = {one.old.id for one in compared} | {
            model.id for model in old.models if model.label in {one.label for one in new.models}
        }
        cases += [
            Case(device, name, "not compared", "only the older benchmark has this model")
            for id, name in old.names.items()
            if id not in known
        ]
    return cases


def exit_status(cases: Sequence[Case], is_strict: bool) -> int:
    """Return the exit status, ignoring failed cases, whose status the caller sets."""
    outcomes = {case.outcome for case in cases}
    if "regression" in outcomes:
        return REGRESSION
    return INCONCLUSIVE if is_strict and outcomes & {"inconclusive", "not compared"} else 0


def summary_line(cases: Sequence[Case], tolerance: float) -> str:
    """Summarize all cases in a line: the worst outcome, counts, and the models with it."""
    count = Counter(case.outcome for case in cases)
    worst = next((one for one in WORST_FIRST if count[one]), "not compared")
    counts = ", ".join(f"{count[one]} {one}" for one in WORST_FIRST if count[one])
    line = f"gate: {worst}: {counts or 'nothing'}, at a tolerance of {100 * tolerance:g} %"
    if worst == "passed":
        return line
    found = [case for case in cases if case.outcome == worst]
    named = "; ".join(f"{one.model} on {one.device}: {one.reason}" for one in found[:NAMED])
    more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{line}; {named}{more}" if found else line


def _outcome(
    model: ModelResult, one: Compared | None, has_older: bool, tolerance: float
) -> tuple[Outcome, str]:
    if model.is_wrong:
        return "failed", "the output on the device is wrong"
    if model.times is None:
        return "failed", "it was not measured"
    if one is None:
        what = "the older benchmark does not have this model"
        return "not compared", what if has_older else "there is no older benchmark of this device"
    percent = f"{100 * CONFIDENCE:g} %"
    numbers = f"new / old latency {ratio(one.ratio)}"
    highest = f"{highest_ratio(tolerance):g}"
    if one.ratio.interval is None:
        return one.passage, f"{numbers}, too few rounds for an interval"
    where = {
        "regression": f"the whole {percent} interval is above {highest}",
        "inconclusive": f"the {percent} interval contains {highest}",
        "passed": f"the {percent} interval is not above {highest}",
    }
    return one.passage, f"{numbers}: {where[one.passage]}"


def _measured_s(results: Results, model: str) -> float:
    return (
        sum(
            sum(block.durations_ns)
            for one in results.rounds
            if one.used
            for block in one.blocks
            if block.model == model
        )
        / 1e9
    )
