"""The smallest model that shows a fault, and what was found out about the fault with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.cutting.cutter import Cut, Cutter
from seaformer.cutting.differences import Difference
from seaformer.cutting.graph_description import outputs_of
from seaformer.export.blame.bench import Bench, Trial
from seaformer.export.blame.culprits import Culprit
from seaformer.export.blame.search_stages import Stages


@dataclass(frozen=True)
class Evidence:
    """A model that shows a fault.

    Attributes:
        culprits: those that it stands for, of one kind; it is made of the first.
        cut: the model.
        own: the model on the target, on the tensors that the file gives it.
        on_noise: the same on noise; None if the reference cannot compute that.
        with_constants_given: how far the operator is off if its constants are inputs; None if it
            has none, or they cannot be.
    """

    culprits: tuple[Culprit, ...]
    cut: Cut
    own: Trial
    on_noise: Trial | None
    with_constants_given: Difference | None

    @property
    def is_alone(self) -> bool:
        """Whether the model has one operator."""
        return len(self.cut.operators) == 1

    @property
    def shows_on_noise(self) -> bool:
        """Whether the fault shows on any input, and not only on the tensors of the file."""
        return self.on_noise is not None and not self.on_noise.is_good


def gather(
    culprits: Sequence[Culprit], bench: Bench, cutter: Cutter, stages: Stages
) -> list[Evidence]:
    """Make a model for each kind of culprit, and run it by itself."""
    with stages.stage("cut out what shows it") as stage:
        kinds = _kinds(culprits)
        with_constants = _with_constants_given([one[0] for one in kinds], bench, cutter)
        found = [
            _gather(one, with_constants.get(one[0].operator.index), bench, cutter)
            for one in stage.follow(kinds, len(kinds))
        ]
        size = sum(len(one.cut.model) for one in found)
        stage.made = f"{len(found)} models, {size / 1e3:.1f} kB"
    return found


def _kinds(culprits: Sequence[Culprit]) -> list[list[Culprit]]:
    """Culprits that one model can stand for, together; one that was tried alone goes first."""
    tried = {one.operator.index: one for one in culprits if one.like is None}
    kinds: dict[object, list[Culprit]] = {}
    for one in sorted(culprits, key=lambda one: one.like is not None):
        stands_for = one if one.like is None else tried[one.like]
        key = stands_for.operator.kind, stands_for.fault.kind, bool(stands_for.among)
        kinds.setdefault(key, []).append(one)
    return list(kinds.values())


def _with_constants_given(
    culprits: Sequence[Culprit], bench: Bench, cutter: Cutter
) -> dict[int, Difference]:
    """Operator -> how wrong it is if its constants are inputs, of those that compute wrongly."""
    graph = cutter.graph
    operators = [
        one.operator
        for one in culprits
        if one.fault.failure is None
        and not one.among
        and any(t in graph.constants and t not in graph.producers for t in one.operator.inputs)
    ]
    if not operators:
        return {}
    # Refused as a whole if one of them, such as a convolution, cannot have its weights as inputs.
    trial = bench.run(cutter.alone(operators, gives_constants=True))
    if trial.failure is not None:
        return {}
    return {
        one.index: max((trial.differences[t] for t in one.outputs), key=lambda d: d.badness)
        for one in operators
    }


def _gather(
    culprits: Sequence[Culprit], with_constants: Difference | None, bench: Bench, cutter: Cutter
) -> Evidence:
    first = culprits[0]
    operator = first.operator
    if first.among:
        cut = cutter.cut((*first.among, operator), outputs_of([operator]), operator.outputs)
    else:
        cut = cutter.alone([operator])
        if first.fault.failure is not None:  # which is how it was found: by itself
            return Evidence(tuple(culprits), cut, Trial(first.fault.failure, {}), None, None)
    own, on_noise = bench.run_by_itself(cut)
    return Evidence(tuple(culprits), cut, own, on_noise, with_constants)
