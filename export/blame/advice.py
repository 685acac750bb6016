"""What to do about an operator at fault: from what was measured with it, and from its shapes."""

from seaformer.cutting.differences import Difference
from seaformer.cutting.graph_description import GraphDescription, GraphOperator
from seaformer.export.blame.evidence import Evidence
from seaformer.export.blame.targets import Target

_WIDE_OR_NARROW = ("int64", "uint64", "int16", "float64", "string", "complex64")
"""Types that kernels of accelerators mostly lack."""


def advise(evidence: Evidence, graph: GraphDescription, target: Target) -> list[str]:
    """Return what to do, a sentence or two each, the most promising first."""
    culprit = evidence.culprits[0]
    operator = culprit.operator
    found = []
    if culprit.among:
        types = ", ".join(one.type for one in culprit.among[-3:])
        found.append(
            f"It is right alone, and wrong after {types}: write these operators in another way, so "
            "that they are not fused or laid out together."
        )
    elif culprit.fault.failure is None:
        found += _about_constants(
            operator, graph, culprit.fault.difference, evidence
        ) or _about_batches(operator, graph)
    else:
        found += _about_types(operator, graph)
    found.append(
        f"If it cannot be written in another way, run the model on {target.elsewhere}, and report "
        f"the small file to {target.upstream}."
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
        f"Its constant is misread: {difference} with {constants} stored in the file, {given} with "
        "the same values given at run time. Store it in another shape, such as of rank 4 with a "
        "first axis of 1, or compute it at run time."
    ]


def _about_batches(operator: GraphOperator, graph: GraphDescription) -> list[str]:
    shapes = [graph.tensors[tensor].shape for tensor in operator.inputs]
    first = {shape[0] for shape in shapes if len(shape) > 1}
    if len(shapes) < 2 or len(first) < 2 or len({len(shape) for shape in shapes if shape}) > 1:
        return []
    return [
        f"The first axes of its inputs differ ({', '.join(map(str, sorted(first)))}): give both "
        "the same, or have the longer one on a later axis."
    ]


def _about_types(operator: GraphOperator, graph: GraphDescription) -> list[str]:
    places = (*operator.inputs, *operator.outputs)
    types = sorted({graph.tensors[tensor].dtype for tensor in places} & set(_WIDE_OR_NARROW))
    if not types:
        return ["Write it with other operators."]
    return [f"It has tensors of {' and '.join(types)}: try int32, int8 or float32 instead."]


def _shapes(operator: GraphOperator, graph: GraphDescription, of_constants: bool) -> str:
    return " and ".join(
        str(list(graph.tensors[tensor].shape))
        for tensor in operator.inputs
        if (tensor in graph.constants) == of_constants
    )
