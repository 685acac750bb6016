"""The smallest model that reproduces a fault, and the measurements made with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.export.blame.culprits import Culprit
from seaformer.export.blame.search_stages import Stages
from seaformer.export.blame.target_runner import TargetRunner, Trial
from seaformer.extraction.differences import Difference
from seaformer.extraction.extractor import ExtractedModel, Extractor
from seaformer.extraction.graph_description import outputs_of


@dataclass(frozen=True)
class Evidence:
    """A model that reproduces a fault.

    Attributes:
        culprits: operators with the same fault; the model is made from the first.
        extracted: the model.
        own: result on the target, on the reference's tensors of the whole file.
        on_noise: result on noise; None if the reference cannot run on noise.
        with_constants_given: difference of the operator if its constants are inputs; None if it
            has none, or they cannot be inputs.
    """

    culprits: tuple[Culprit, ...]
    extracted: ExtractedModel
    own: Trial
    on_noise: Trial | None
    with_constants_given: Difference | None

    @property
    def is_alone(self) -> bool:
        """Whether the model has a single operator."""
        return len(self.extracted.operators) == 1

    @property
    def shows_on_noise(self) -> bool:
        """Whether noise reproduces the fault, not only the tensors of the whole file."""
        return self.on_noise is not None and not self.on_noise.is_good


def gather(
    culprits: Sequence[Culprit], runner: TargetRunner, extractor: Extractor, stages: Stages
) -> list[Evidence]:
    """Extract a model for each kind of fault, and run it alone."""
    with stages.stage("extract minimal models") as stage:
        kinds = _kinds(culprits)
        with_constants = _with_constants_given([one[0] for one in kinds], runner, extractor)
        found = [
            _gather(one, with_constants.get(one[0].operator.index), runner, extractor)
            for one in stage.follow(kinds, len(kinds))
        ]
        size = sum(len(one.extracted.model) for one in found)
        stage.result = f"{len(found)} models, {size / 1e3:.1f} kB"
    return found


def _kinds(culprits: Sequence[Culprit]) -> list[list[Culprit]]:
    """Group culprits that one model can represent; an operator that was run alone comes first."""
    tried = {one.operator.index: one for one in culprits if one.like is None}
    kinds: dict[object, list[Culprit]] = {}
    for one in sorted(culprits, key=lambda one: one.like is not None):
        stands_for = one if one.like is None else tried[one.like]
        key = stands_for.operator.kind, stands_for.fault.kind, bool(stands_for.among)
        kinds.setdefault(key, []).append(one)
    return list(kinds.values())


def _with_constants_given(
    culprits: Sequence[Culprit], runner: TargetRunner, extractor: Extractor
) -> dict[int, Difference]:
    """Operators whose outputs differ -> their difference if their constants are inputs."""
    graph = extractor.graph
    operators = [
        one.operator
        for one in culprits
        if one.fault.failure is None
        and not one.among
        and any(t in graph.constants and t not in graph.producers for t in one.operator.inputs)
    ]
    if not operators:
        return {}
    # Refused as a whole if the weights of one operator, such as a convolution, cannot be inputs.
    trial = runner.run(extractor.alone(operators, gives_constants=True))
    if trial.failure is not None:
        return {}
    return {
        one.index: max((trial.differences[t] for t in one.outputs), key=lambda d: d.badness)
        for one in operators
    }


def _gather(
    culprits: Sequence[Culprit],
    with_constants: Difference | None,
    runner: TargetRunner,
    extractor: Extractor,
) -> Evidence:
    first = culprits[0]
    operator = first.operator
    if first.among:
        extracted = extractor.extract(
            (*first.among, operator), outputs_of([operator]), operator.outputs
        )
    else:
        extracted = extractor.alone([operator])
        if first.fault.failure is not None:  # the search has already run it alone
            return Evidence(tuple(culprits), extracted, Trial(first.fault.failure, {}), None, None)
    own, on_noise = runner.run_by_itself(extracted)
    return Evidence(tuple(culprits), extracted, own, on_noise, with_constants)
