"""The search for the operators that a target computes differently, or does not run.

First each operator is run alone, many of them side by side in one model: each gets the reference's
tensors as inputs, so errors do not propagate, and one run finds all wrong operators. A model that
is refused or crashes is halved. Then the remaining operators are run connected as in the file,
with the reference's tensors in place of the culprits' outputs. If the result is still wrong, some
operator is correct alone but wrong after others: it is found by bisecting truncated models.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from seaformer.export.blame.search_stages import Stage, Stages
from seaformer.export.blame.target_runner import UNTRIED, Failure, TargetRunner, Trial
from seaformer.extraction.differences import Difference
from seaformer.extraction.extractor import Extractor
from seaformer.extraction.graph_description import GraphOperator, outputs_of

MAX_OPERATORS, MAX_BYTES = 256, 1 << 28
"""Limits of a model of independent operators: all its inputs and outputs are in memory at once."""

MAX_SESSIONS = 60
"""Maximum number of sessions on the target: each takes seconds with a software driver. Operators
that were not run alone by then are reported."""

MAX_IN_CONTEXT = 6
"""Maximum number of faults that depend on other operators: each needs its own bisection."""


@dataclass(frozen=True)
class Fault:
    """How a target fails on an operator.

    Attributes:
        failure: why it does not run; None if it runs but its outputs differ.
        difference: the worst difference of its outputs; None if it does not run.
    """

    failure: Failure | None
    difference: Difference | None

    @property
    def kind(self) -> str:
        """The kind of fault as text."""
        return "computes different values" if self.failure is None else self.failure.kind

    def __str__(self) -> str:
        return f"{self.kind}: {self.difference if self.failure is None else self.failure.reason}"


@dataclass(frozen=True)
class Culprit:
    """An operator that a target computes differently, or does not run.

    Attributes:
        operator: the operator.
        fault: how the target fails on it.
        among: preceding operators required to reproduce the fault; empty if it fails alone.
        like: index of an operator of the same type and tensor types that was refused alone, from
            which this fault is inferred; None if this operator was run alone.
    """

    operator: GraphOperator
    fault: Fault
    among: tuple[GraphOperator, ...] = ()
    like: int | None = None


@dataclass(frozen=True)
class Findings:
    """The result of the search.

    Attributes:
        whole: result of the whole file on the target.
        culprits: in execution order.
        unexamined: operators that were not run alone because `MAX_SESSIONS` was reached or the
            target does not support their tensors as inputs or outputs.
        rest: result of the file without the culprits; None if no operators remain.
    """

    whole: Trial
    culprits: tuple[Culprit, ...]
    unexamined: tuple[GraphOperator, ...]
    rest: Trial | None

    @property
    def is_clean(self) -> bool:
        """Whether the target matches the reference."""
        return self.whole.is_good and not self.culprits


def find_culprits(runner: TargetRunner, extractor: Extractor, stages: Stages) -> Findings:
    """Search a file; see the module docstring.

    Raises:
        SeaformerError: the reference cannot run the file, or the target does not work at all.
    """
    graph = extractor.graph
    with stages.stage("run the whole file") as stage:
        whole = runner.whole()
        stage.result = _short(str(whole))
    if whole.is_good and not graph.is_quantized:
        return Findings(whole, (), (), None)
    search = _Search(runner, extractor, whole, MAX_SESSIONS)
    alone = search.alone(stages)
    if whole.is_good and not alone:
        return Findings(whole, (), tuple(search.unexamined), None)
    with stages.stage("run the rest together") as stage:
        culprits, rest = search.together(alone, stage)
        stage.result = "nothing is left" if rest is None else _short(str(rest))
    unexamined = sorted(search.unexamined, key=lambda one: one.index)
    return Findings(whole, tuple(culprits), tuple(unexamined), rest)


def find_alone(
    runner: TargetRunner, extractor: Extractor, stages: Stages, whole: Trial, max_sessions: int
) -> list[Culprit]:
    """Find only the operators that are at fault alone; `whole` is the result of the whole file."""
    return _Search(runner, extractor, whole, max_sessions).alone(stages)


class _Search:
    """One search."""

    def __init__(
        self, runner: TargetRunner, extractor: Extractor, whole: Trial, max_sessions: int
    ) -> None:
        self.unexamined: list[GraphOperator] = []
        self._runner, self._extractor, self._whole = runner, extractor, whole
        self._max_sessions = max_sessions
        self._failures: dict[int, Failure] = {}
        self._differences: dict[int, Difference] = {}
        self._like: dict[int, int] = {}

    def alone(self, stages: Stages) -> list[Culprit]:
        """Run every operator alone; return those at fault."""
        operators = self._extractor.graph.computing
        with stages.stage("run each operator alone") as stage:
            for group in self._groups(operators):
                self._examine(group, stage)
            found = self._at_fault(operators)
            stage.result = f"{len(operators)} operators, {len(found)} at fault"
        return found

    def _at_fault(self, operators: Sequence[GraphOperator]) -> list[Culprit]:
        found = []
        for one in operators:
            failure, difference = self._failures.get(one.index), self._differences.get(one.index)
            # If the whole file runs, an operator refused alone may be refused for its inputs.
            if failure is not None and (self._whole.failure is None or failure.kind == UNTRIED):
                self.unexamined.append(one)
            elif failure is not None:
                found.append(Culprit(one, Fault(failure, None), like=self._like.get(one.index)))
            elif difference is not None and not difference.agrees:
                found.append(Culprit(one, Fault(None, difference)))
        return found

    def _groups(self, operators: Sequence[GraphOperator]) -> Iterator[list[GraphOperator]]:
        tensors = self._extractor.graph.tensors
        group: list[GraphOperator] = []
        size = 0
        for one in operators:
            needed = sum(tensors[t].bytes for t in (*one.inputs, *one.outputs))
            if group and (len(group) == MAX_OPERATORS or size + needed > MAX_BYTES):
                yield group
                group, size = [], 0
            group.append(one)
            size += needed
        if group:
            yield group

    def _examine(self, group: Sequence[GraphOperator], stage: Stage) -> None:
        """Run independent operators in one model; if that fails, find those that cannot be run.

        Whether an operator is refused depends mostly on its type and the types of its tensors, so
        one operator of each combination is run first, then the others of a refused one together.
        """
        if self._try(group, stage) or len(group) == 1:
            return
        for key in (self._extractor.graph.signature, lambda one: one.kind):
            classes: dict[object, list[GraphOperator]] = {}
            for one in group:
                classes.setdefault(key(one), []).append(one)
            self._halve([members[0] for members in classes.values()], stage)
            group = []
            for first, *others in classes.values():
                if not others:
                    continue
                if first.index not in self._failures:
                    group += others
                elif not self._try(others, stage):
                    self._inherit(first, others)
            if not group or self._try(group, stage):
                return
        for one in group:
            self._try([one], stage)

    def _inherit(self, first: GraphOperator, others: Sequence[GraphOperator]) -> None:
        for one in others:
            if one.index not in self._failures:
                self._failures[one.index] = self._failures[first.index]
                self._like[one.index] = first.index

    def _halve(self, group: Sequence[GraphOperator], stage: Stage) -> None:
        """Run the halves of a group that cannot be run together."""
        if len(group) == 1:
            self._try(group, stage)
            return
        half = len(group) // 2
        first, second = group[:half], group[half:]
        if self._try(first, stage):
            # The second half must fail, so it need not be run as a whole.
            self._halve(second, stage)
            return
        if len(first) > 1:
            self._halve(first, stage)
        if not self._try(second, stage) and len(second) > 1:
            self._halve(second, stage)

    def _try(self, group: Sequence[GraphOperator], stage: Stage) -> bool:
        """Run independent operators in one model; return whether it ran."""
        if self._is_out_of_sessions():
            self.unexamined += [one for one in group if one not in self.unexamined]
            return True
        stage.show(f"{len(group)} operators from {group[0].index}")
        trial = self._runner.run(self._extractor.alone(group))
        if trial.failure is not None:
            if len(group) == 1:
                self._failures[group[0].index] = trial.failure
            return False
        for one in group:
            found = [trial.differences[tensor] for tensor in one.outputs]
            self._differences[one.index] = max(found, key=lambda difference: difference.badness)
        return True

    def together(
        self, alone: Sequence[Culprit], stage: Stage
    ) -> tuple[list[Culprit], Trial | None]:
        """Run the rest of the file connected, and find faults that depend on other operators."""
        culprits = list(alone)
        for found in range(MAX_IN_CONTEXT + 1):
            named = [one.operator for one in culprits]
            fed = outputs_of(named)
            rest = [one for one in self._extractor.graph.computing if one not in named]
            if not rest:
                return culprits, None
            trial = self._chain(rest, fed)
            if not trial.is_wrong or found == MAX_IN_CONTEXT or self._is_out_of_sessions():
                break
            culprit = self._first_wrong(rest, fed, trial, stage)
            culprits += [culprit, *self._likewise(culprit, rest)]
        return sorted(culprits, key=lambda one: one.operator.index), trial

    def _first_wrong(
        self, rest: Sequence[GraphOperator], fed: Collection[int], trial: Trial, stage: Stage
    ) -> Culprit:
        """Find the first wrong operator by bisecting truncated models; `rest` itself is wrong."""
        good, bad = 0, len(rest)
        while bad - good > 1 and not self._is_out_of_sessions():
            stage.show(f"between operators {rest[good].index} and {rest[bad - 1].index}")
            middle = (good + bad) // 2
            tried = self._chain(rest[:middle], fed)
            if tried.is_wrong:
                bad, trial = middle, tried
            else:
                good = middle
        operator = rest[bad - 1]
        wrong = [
            self._extractor.graph.producers[tensor]
            for tensor, difference in trial.differences.items()
            if not difference.agrees
        ]
        if wrong and operator not in wrong:
            # Later operators can reduce an error below the threshold in a longer truncated model.
            operator = min(wrong, key=lambda one: one.index)
        difference = max(
            (trial.differences[t] for t in operator.outputs if t in trial.differences),
            key=lambda one: one.badness,
            default=trial.worst,
        )
        stage.show(f"context of the fault of operator {operator.index}")
        among = self._shortest(operator, fed)
        if not among:
            among = tuple(one for one in rest[:bad] if one != operator)
        return Culprit(operator, Fault(trial.failure, difference), among)

    def _likewise(self, culprit: Culprit, rest: Sequence[GraphOperator]) -> list[Culprit]:
        """Operators that fail in the same way: the same kind of operator after the same kinds."""
        graph, count = self._extractor.graph, len(culprit.among)
        kinds = [one.kind for one in (*culprit.among, culprit.operator)]
        chains = []
        for one in rest:
            chain = graph.ancestors(one, ())[-count - 1 :]
            if one != culprit.operator and [each.kind for each in chain] == kinds:
                chains.append(chain)
        if not chains or not count or self._is_out_of_sessions():
            return []
        together = sorted({one for chain in chains for one in chain}, key=lambda one: one.index)
        wanted = outputs_of(chain[-1] for chain in chains)
        extracted = self._extractor.extract(together, wanted, wanted)
        trial = self._runner.run(extracted, is_chain=True)
        found = []
        for *among, operator in chains:
            wrong = [trial.differences[t] for t in operator.outputs if t in trial.differences]
            worst = max(wrong, key=lambda one: one.badness, default=None)
            if worst is not None and not worst.agrees:
                found.append(Culprit(operator, Fault(None, worst), tuple(among)))
        return found

    def _shortest(self, operator: GraphOperator, fed: Collection[int]) -> tuple[GraphOperator, ...]:
        """The shortest chain of preceding operators with which an operator fails; empty if none."""
        before = self._extractor.graph.ancestors(operator, fed)[:-1]
        wanted = set(operator.outputs)

        def is_wrong(count: int) -> bool:
            chain = (*before[len(before) - count :], operator)
            return self._runner.run(
                self._extractor.extract(chain, fed, wanted), is_chain=True
            ).is_wrong

        right, wrong = 0, 1
        while wrong < len(before) and not self._is_out_of_sessions() and not is_wrong(wrong):
            right, wrong = wrong, 2 * wrong
        if wrong >= len(before):
            wrong = len(before)
            if not wrong or not is_wrong(wrong):
                return ()
        while wrong - right > 1 and not self._is_out_of_sessions():
            middle = (right + wrong) // 2
            if is_wrong(middle):
                wrong = middle
            else:
                right = middle
        return tuple(before[len(before) - wrong :])

    def _chain(self, operators: Sequence[GraphOperator], fed: Collection[int]) -> Trial:
        return self._runner.run(self._extractor.extract(operators, fed), is_chain=True)

    def _is_out_of_sessions(self) -> bool:
        return self._runner.sessions >= self._max_sessions


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
