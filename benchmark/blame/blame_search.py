"""The search: the whole file, truncated models by bisection, and the faulty operator alone.

With a wide tolerance, as for half precision and for quantized files, the output of the whole file
can agree although an operator is wrong, so the results of all operators are compared instead.
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
from seaformer.extraction.differences import EXACT, Difference
from seaformer.extraction.graph_description import GraphDescription, GraphOperator

SUDDEN_DB = 10.0
"""Smallest loss of signal-to-noise ratio from the inputs to the outputs of a faulty operator.
Rounding costs a few dB per operator; wrong operators fell from 28 dB and more to 2 dB."""

COMPUTED = ("agrees", "differs")

Describe = Callable[[str], None]


@dataclass(frozen=True)
class Search:
    """The result of a search; see `BlameResults`."""

    verdict: Verdict
    blamed: BlamedOperator | None = None
    suspects: tuple[SuspectOperator, ...] = ()
    model: bytes | None = None


def search(trials: PrefixTrials, module_of: Mapping[int, str], describe: Describe) -> Search:
    """Find the first operator that a device computes differently.

    Args:
        trials: trials of the file on the device.
        module_of: operator -> its module.
        describe: progress callback that takes a description of the current step.
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
            return None  # The whole file runs, so a truncated model that fails is inconclusive.
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
    """Compare all operators; return the number of operators up to the first faulty one."""
    known: dict[int, Difference] = {}
    first = 0
    for group in _groups(trials.operators):
        end = first + len(group)
        describe(f"comparing operators {group[0].index} to {group[-1].index}")
        known |= trials.group(first, end).differences
        for count, one in enumerate(group, first + 1):
            if _stands_out(trials.graph, one, known):
                # An accelerator may not compute a result that it does not need, such as the PAD
                # before a convolution, although the model returns it.
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
    """Whether the result of an operator is wrong, with a large loss compared to its inputs."""
    written = [known[tensor] for tensor in operator.outputs if tensor in known]
    read = [known[tensor] for tensor in graph.needed_by(operator) if tensor in known]
    if all(one.agrees for one in written):
        return False
    if any(one.unit != "dB" for one in (*read, *written)):
        return all(one.agrees for one in read)
    before = min((one.value for one in read), default=300.0)
    return before - min(one.value for one in written) >= SUDDEN_DB


def _blame(
    trials: PrefixTrials, module_of: Mapping[int, str], count: int, describe: Describe
) -> Search:
    """Describe the faulty operator, the last of the first `count`."""
    graph, operator, tried = trials.graph, trials.operators[count - 1], trials.prefix(count)
    wrong = [graph.producers[t] for t, one in tried.differences.items() if not one.agrees]
    if wrong and operator not in wrong:
        # Up to the operator before it: how an operator is computed can depend on its successors.
        operator = min(wrong, key=lambda one: one.index)
        count = trials.operators.index(operator) + 1
    describe(f"operator {operator.index}, {operator.type}")
    before = trials.prefix(count - 1) if count > 1 else None
    read = {} if before is None else before.differences
    inputs = tuple(trials.described(t, read.get(t)) for t in operator.inputs)
    outputs = tuple(trials.described(t, tried.differences.get(t)) for t in operator.outputs)
    extracted, alone = trials.alone(operator)
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
    return Search(_verdict(blamed, alone), blamed, model=extracted.model)


def _verdict(blamed: BlamedOperator, alone: Trial | None) -> Verdict:
    before, after = blamed.before_db, blamed.after_db
    if blamed.outcome != "differs" or before is None or after is None:
        return "operator"
    is_wrong_alone = alone is not None and alone.outcome != "agrees"
    return "operator" if is_wrong_alone or before - after >= SUDDEN_DB else "gradual"
