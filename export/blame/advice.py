"""Advice about an operator at fault, derived from the measurements and its shapes."""

from seaformer.export.blame.evidence import Evidence
from seaformer.export.blame.targets import Target
from seaformer.extraction.differences import Difference
from seaformer.extraction.graph_description import GraphDescription, GraphOperator

_WIDE_OR_NARROW = ("int64", "uint64", "int16", "float64", "string", "complex64")
"""Types that most accelerator kernels do not support."""


def advise(evidence: Evidence, graph: GraphDescription, target: Target) -> list[str]:
    """Return the advice, one or two sentences each, the most promising first."""
    culprit = evidence.culprits[0]
    operator = culprit.operator
    found = []
    if culprit.among:
        types = ", ".join(one.type for one in culprit.among[-3:])
        found.append(
            f"It is correct alone, but wrong after {types}: rewrite these operators differently to "
            "prevent their fusion or a shared layout."
        )
    elif culprit.fault.failure is None:
        found += _about_constants(
            operator, graph, culprit.fault.difference, evidence
        ) or _about_batches(operator, graph)
    else:
        found += _about_types(operator, graph)
    found.append(
        f"If it cannot be rewritten, run the model on {target.elsewhere}, and report the minimal "
        f"file at {target.upstream}."
    )
    return found


def _about_constants(
    operator: GraphOperator,
    graph: GraphDescription,
    difference: Difference | None,
    evidence: Evidence,
) -> list[str]:
    given = evidence.with_constants_given
    if given is None or not given.agrees:
        return []
    constants = _shapes(operator, graph, of_constants=True)
    return [
        f"Its constant is misread: {difference} with {constants} stored in the file, but {given} "
        "with the same values as inputs. Store it with another shape, such as rank 4 with a first "
        "axis of 1, or compute it at run time."
    ]


def _about_batches(operator: GraphOperator, graph: GraphDescription) -> list[str]:
    shapes = [graph.tensors[tensor].shape for tensor in operator.inputs]
    first = {shape[0] for shape in shapes if len(shape) > 1}
    if len(shapes) < 2 or len(first) < 2 or len({len(shape) for shape in shapes if shape}) > 1:
        return []
    return [
        f"The first axes of its inputs differ ({', '.join(map(str, sorted(first)))}): make them "
        "equal, or move the longer one to a later axis."
    ]


def _about_types(operator: GraphOperator, graph: GraphDescription) -> list[str]:
    places = (*operator.inputs, *operator.outputs)
    types = sorted({graph.tensors[tensor].dtype for tensor in places} & set(_WIDE_OR_NARROW))
    if not types:
        return ["Replace it with other operators."]
    return [f"It has tensors of {' and '.join(types)}: try int32, int8 or float32 instead."]


def _shapes(operator: GraphOperator, graph: GraphDescription, of_constants: bool) -> str:
    return " and ".join(
        str(list(graph.tensors[tensor].shape))
        for tensor in operator.inputs
        if (tensor in graph.constants) == of_constants
    )
