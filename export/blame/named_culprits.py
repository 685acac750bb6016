"""Naming the operators because of which an accelerator fails, in the errors of an export."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seaformer.artifact.metadata import AcceleratorParity, MappedOperator
from seaformer.errors import SeaformerError
from seaformer.export.blame.culprits import Culprit, find_alone
from seaformer.export.blame.probes import make_probes
from seaformer.export.blame.search_stages import Stages
from seaformer.export.blame.target_runner import Failure, TargetRunner, Trial
from seaformer.export.blame.targets import TARGETS
from seaformer.extraction.extractor import Extractor
from seaformer.extraction.graph_description import GraphDescription, modules_of
from seaformer.runtimes import open_session
from seaformer.temporary_folders import temporary_folder

MAX_SESSIONS = 12
"""On the accelerator: an export only has to name an operator. --blame finds all of them."""

MAX_REASON = 120
"""Maximum length of a runtime's reason in characters."""


def with_culprits(
    parity: AcceleratorParity, path: Path, operators: Sequence[MappedOperator], stages: Stages
) -> AcceleratorParity:
    """Add the operators that fail when run alone to the reason why a file fails or is refused.

    Args:
        parity: the result of the whole file; returned unchanged if it did not fail, if there is no
            such operator, or if it cannot be searched for.
        path: the file before it is compiled, written by this process.
        operators: its operators with their modules.
        stages: shows the progress.

    Returns:
        The result with a clause, such as "MUL in 'head' ([1,8] x [4,8]) computes different values:
        3.1 dB".
    """
    if parity.status not in ("failed", "refused"):
        return parity
    culprits = _search(parity, path, operators, stages)
    return parity.model_copy(update={"reason": "; ".join(filter(None, (parity.reason, culprits)))})


def _search(
    parity: AcceleratorParity, path: Path, operators: Sequence[MappedOperator], stages: Stages
) -> str:
    target = TARGETS[parity.name]
    if path.suffix not in target.suffixes:
        return ""
    failure = None if parity.status == "failed" else Failure("refused", parity.reason or "")
    try:
        with (
            open_session(path) as reference,
            Extractor(path) as extractor,
            temporary_folder("blame") as folder,
        ):
            probes = make_probes(reference)
            runner = TargetRunner(
                path, extractor.graph, target, reference, probes, folder, parity.chip
            )
            found = find_alone(runner, extractor, stages, Trial(failure, {}), MAX_SESSIONS)
            return _in_words(found, extractor.graph, modules_of(operators, extractor.graph))
    except SeaformerError:  # the search is an addition: the export reports its own failure
        return ""


def _in_words(
    culprits: Sequence[Culprit], graph: GraphDescription, module_of: Mapping[int, str]
) -> str:
    if not culprits:
        return ""
    worst = max(culprits, key=_badness)
    operator, fault = worst.operator, str(worst.fault)
    fault = f"is {fault}" if fault.startswith("refused") else fault
    shapes = " x ".join(_shape(graph.tensors[tensor].shape) for tensor in operator.inputs)
    module = module_of.get(operator.index)
    where = f" in '{module}'" if module else ""
    more = f", and {len(culprits) - 1} more" if len(culprits) > 1 else ""
    if len(fault) > MAX_REASON:
        fault = f"{fault[: MAX_REASON - 3]}..."
    return f"{operator.type}{where} ({shapes}) {fault}{more}"


def _badness(culprit: Culprit) -> tuple[bool, tuple[bool, float], int]:
    """Sort key: an operator that does not run comes first, then the least accurate one."""
    fault = culprit.fault
    badness = (False, 0.0) if fault.difference is None else fault.difference.badness
    return fault.failure is not None, badness, -culprit.operator.index


def _shape(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
