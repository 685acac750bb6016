"""The search: the whole file, truncated models by bisection, and the operator at fault alone.

Where the whole agrees with a wide tolerance only, as in half precision and of quantized files, an
operator that is wrong can be lost in it: there every operator's result is looked at instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seaformer.benchmark.blame.narrowing import narrow
from seaformer.benchmark.blame.prefix_trials import MAX_OUTPUTS, PrefixTrials
from seaformer.benchmark.results.blame_results import (
    BlamedOperator,
    SuspectOperator,
    Trial,
    Verdict,
)
from seaformer.cutting.differences import EXACT, Difference
from seaformer.cutting.graph_description import GraphDescription, GraphOperator

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


def search(trials: PrefixTrials, module_of: Mapping[int, str], describe: Describe) -> Search:
    """Find the first operator that a device computes differently.

    Args:
        trials: of the file on the device.
        module_of: operator -> its module.
        describe: called with what is being done.
    """
    describe("running the whole file")
    whole = trials.whole().trial
    if whole.outcome == "agrees":
        worst = whole.worst
        is_near = worst is None or (worst.unit == "dB" and (worst.value or 0) >= EXACT.min_db)
        found = None if is_near else _scan(trials, describe)
        if found is None:
            return Search("agrees")
        return _blame(trials, module_of, found, describe)
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
    return _blame(trials, module_of, found_at.wrong, describe)


def _scan(trials: PrefixTrials, describe: Describe) -> int | None:
    """Look at the result of every operator; return how many end with the first that stands out."""
    known: dict[int, Difference] = {}
    first = 0
    for group in _groups(trials.operators):
        end = first + len(group)
        describe(f"looking at operators {group[0].index} to {group[-1].index}")
        known |= trials.group(first, end).differences
        for count, one in enumerate(group, first + 1):
            if _stands_out(trials.graph, one, known):
                # An accelerator may leave out a result that it has no need of, such as the PAD
                # before a convolution, though the model returns it.
                known |= trials.prefix(count).differences
                if _stands_out(trials.graph, one, known):
                    return count
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


def _stands_out(
    graph: GraphDescription, operator: GraphOperator, known: Mapping[int, Difference]
) -> bool:
    """Whether an operator's result is wrong, and loses much that was right in what it read."""
    made = [known[tensor] for tensor in operator.outputs if tensor in known]
    read = [known[tensor] for tensor in graph.needed_by(operator) if tensor in known]
    if all(one.agrees for one in made):
        return False
    if any(one.unit != "dB" for one in (*read, *made)):
        return all(one.agrees for one in read)
    before = min((one.value for one in read), default=300.0)
    return before - min(one.value for one in made) >= SUDDEN_DB


def _blame(
    trials: PrefixTrials, module_of: Mapping[int, str], count: int, describe: Describe
) -> Search:
    """Say what is known of the operator that the first `count` end with, which is at fault."""
    graph, operator, tried = trials.graph, trials.operators[count - 1], trials.prefix(count)
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
