"""The search: the whole file, truncated models by bisection, and the operator at fault alone.

Where the tolerance is so wide that a wrong operator in the middle can be lost in a whole that
agrees, as in half precision and of quantized files, every operator's result is looked at instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from seaformer.benchmark.blame.narrowing import narrow
from seaformer.benchmark.blame.prefix_trials import MAX_OUTPUTS, PrefixTrials, Tried
from seaformer.benchmark.results.blame_results import (
    BlamedOperator,
    SuspectOperator,
    Trial,
    Verdict,
)
from seaformer.cutting.differences import Difference
from seaformer.cutting.graph_description import GraphOperator

SUDDEN_DB = 10.0
"""What an operator loses of its inputs' signal to noise ratio at least to stand out. Rounding costs
a few dB at one operator; wrong ones were seen to fall from 28 dB and more to 2 dB."""

COMPUTED = ("agrees", "differs")

Describe = Callable[[str], None]


@dataclass(frozen=True)
class Search:
    """What a search found; see `BlameResults`."""

    verdict: Verdict
    blamed: BlamedOperator | None = None
    suspects: tuple[SuspectOperator, ...] = ()
    model: bytes | None = None


def search(
    trials: PrefixTrials, module_of: Mapping[int, str], is_wide: bool, describe: Describe
) -> Search:
    """Find the first operator that a device computes differently.

    Args:
        trials: of the file on the device.
        module_of: operator -> its module.
        is_wide: whether the tolerance is wide, see the module.
        describe: called with what is being done.
    """
    describe("running the whole file")
    whole = trials.whole().trial
    if whole.outcome == "agrees":
        found = _scan(trials, describe) if is_wide else None
        if found is None:
            return Search("agrees")
        return _blame(trials, module_of, *found, describe)
    count = len(trials.operators)

    def is_right(operators: int) -> bool | None:
        describe(f"bisecting: a model of {operators} of {count} operators")
        outcome = trials.prefix(operators).trial.outcome
        if outcome not in COMPUTED and whole.outcome in COMPUTED:
            return None  # The whole runs: this model cannot be used, which blames no operator.
        return outcome == "agrees"

    found_at = narrow(count, is_right)
    if found_at.wrong - found_at.right > 1:
        between = trials.operators[found_at.right : found_at.wrong]
        suspects = tuple(
            SuspectOperator(index=one.index, type=one.type, module=module_of.get(one.index))
            for one in between
        )
        return Search("range", suspects=suspects)
    tried = trials.prefix(found_at.wrong)
    return _blame(trials, module_of, found_at.wrong, tried, describe)


def _scan(trials: PrefixTrials, describe: Describe) -> tuple[int, Tried] | None:
    """Look at the result of every operator; return the first that stands out.

    That is as many operators as end with it, and the trial that has its result.
    """
    known: dict[int, Difference] = {}
    first = 0
    for group in _groups(trials.operators):
        end = first + len(group)
        describe(f"looking at operators {group[0].index} to {group[-1].index}")
        tried = trials.group(first, end)
        known |= tried.differences
        for place, one in enumerate(group, first + 1):
            wrong = {t: known[t] for t in one.outputs if t in known and not known[t].agrees}
            read = [known[t] for t in trials.graph.needed_by(one) if t in known]
            if wrong and _stands_out(read, list(wrong.values())):
                return place, replace(tried, differences=wrong)
        first = end
    return None


def _groups(operators: Sequence[GraphOperator]) -> list[list[GraphOperator]]:
    """Divide operators so that the results of each group fit into one model."""
    groups: list[list[GraphOperator]] = [[]]
    for one in operators:
        results = sum(len(each.outputs) for each in groups[-1]) + len(one.outputs)
        if groups[-1] and results > MAX_OUTPUTS:
            groups.append([])
        groups[-1].append(one)
    return groups


def _stands_out(read: Sequence[Difference], made: Sequence[Difference]) -> bool:
    """Whether an operator loses much that was right in what it read."""
    if any(one.unit != "dB" for one in (*read, *made)):
        return all(one.agrees for one in read)
    before = min((one.value for one in read), default=300.0)
    return before - min(one.value for one in made) >= SUDDEN_DB


def _blame(
    trials: PrefixTrials,
    module_of: Mapping[int, str],
    count: int,
    tried: Tried,
    describe: Describe,
) -> Search:
    """Say what is known of the operator that `count` operators end with, which is at fault."""
    graph, operator = trials.graph, trials.operators[count - 1]
    wrong = [graph.producers[t] for t, one in tried.differences.items() if not one.agrees]
    if wrong and operator not in wrong:
        # One before it: how an operator is computed can depend on what follows.
        operator = min(wrong, key=lambda one: one.index)
        count = trials.operators.index(operator) + 1
    describe(f"operator {operator.index}, {operator.type}")
    before = trials.prefix(count - 1) if count > 1 else None
    read = {} if before is None else before.differences
    inputs = tuple(trials.described(t, read.get(t)) for t in operator.inputs)
    outputs = tuple(trials.described(t, tried.differences.get(t)) for t in operator.outputs)
    cut, alone = trials.alone(operator)
    blamed = BlamedOperator(
        index=operator.index,
        type=operator.type,
        module=module_of.get(operator.index),
        outcome=tried.trial.outcome if tried.trial.outcome not in COMPUTED else "differs",
        reason=tried.trial.reason,
        inputs=inputs,
        outputs=outputs,
        alone=alone,
        file=None,
    )
    return Search(_verdict(blamed, alone), blamed, model=cut.model)


def _verdict(blamed: BlamedOperator, alone: Trial | None) -> Verdict:
    before, after = blamed.before_db, blamed.after_db
    if blamed.outcome != "differs" or before is None or after is None:
        return "operator"
    is_wrong_alone = alone is not None and alone.outcome != "agrees"
    return "operator" if is_wrong_alone or before - after >= SUDDEN_DB else "gradual"
