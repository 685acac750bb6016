"""Alignment of the events of ONNX Runtime's profile with the nodes of an .onnx file.

ONNX Runtime names events after the nodes of the file, but it fuses and renames nodes, and inserts
new ones. The rules:

1. An event belongs to the node with its name, without additions of ONNX Runtime (`_token_12`,
   `_nchwc`, `/MatMulScaleFusion/`). Layout optimizations name a node after the tensor it computes:
   the event then belongs to the node that computes that tensor.
2. It also belongs to preceding nodes without an event, which were fused into it. Nodes with MACs
   can only be fused into kernels with MACs (`KERNELS`). The time is divided in proportion to the
   MACs, so a convolution gets all of it and the activation after it nothing; if no node has MACs,
   the node of rule 1 gets all of it.
3. Nodes inserted by ONNX Runtime, which change layout or type, have no name from the file. Their
   time goes to the node of the next event, for which they were inserted; the time of
   `ReorderOutput`, which restores a layout, goes to the node of the preceding event.

Every node with MACs must have an event, and every event a node; anything else is an error.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from seaformer.benchmark.breakdown.alignment import AlignmentError, Share
from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.benchmark.runner.record import ProfileEvent
from seaformer.errors import quoted

INSERTED = (
    "ReorderInput",
    "ReorderOutput",
    "Transpose",
    "Reshape",
    "Cast",
    "QuantizeLinear",
    "DequantizeLinear",
    "Unsqueeze",
    "Squeeze",
    "MemcpyToHost",
    "MemcpyFromHost",
)
BELONGS_TO_THE_ONE_BEFORE = ("ReorderOutput",)

KERNELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Conv": ("Conv",),
        "ConvTranspose": ("ConvTranspose",),
        "MatMul": ("MatMul", "Gemm"),
        "Gemm": ("Gemm", "MatMul"),
        "Resize": ("Resize", "Upsample"),
    }
)
"""Type of a node with MACs -> substrings of the types of its kernels."""

_ADDED = re.compile(
    r"(_token_\d+|_nchwc|_quant|_fp16|/duplicated"
    r"|/(MatmulTranspose|MatMulScale|GatherSliceToSplit)Fusion/?)$"
)


def align_onnx(graph: Graph, events: Sequence[ProfileEvent]) -> tuple[Share, ...]:
    """Attribute every event of one profiled run of an .onnx, in order, to one or several nodes.

    Raises:
        AlignmentError: events and file do not match.
    """
    producers = {name: operator for operator in graph.operators for name in operator.outputs}
    named = [_find(event, graph.nodes, producers) for event in events]
    own = {operator.index for operator in named if operator is not None}
    shares: list[list[Share]] = []
    taken: set[int] = set()
    for place, (event, operator) in enumerate(zip(events, named, strict=True)):
        fused = [] if operator is None else _fused(operator, event.op or "", producers, own)
        fused = [one for one in fused if one.index not in taken]
        taken.update(one.index for one in fused)
        total = sum(one.macs for one in fused)
        shares.append([Share(place, one.index, one.macs / total) for one in fused if one.macs > 0])
        if operator is not None and total == 0:
            shares[-1].append(Share(place, operator.index))
    for place, operator in enumerate(named):
        if operator is None:
            shares[place].append(Share(place, _neighbor(place, events, named, shares)))
    left = [one for one in graph.operators if one.macs > 0 and one.index not in taken]
    if left:
        raise AlignmentError(
            f"{len(left)} nodes with MACs of the file are not in the profile, the first is "
            f"{left[0].index} ({left[0].type}, {left[0].name})"
        )
    return tuple(share for of_event in shares for share in of_event)


def _find(
    event: ProfileEvent, nodes: Mapping[str, Operator], producers: Mapping[str, Operator]
) -> Operator | None:
    """The node an event is named after; None if ONNX Runtime inserted it.

    Raises:
        AlignmentError: it is neither a node of the file nor an inserted one.
    """
    name, shorter = "", event.tag
    while name != shorter:
        name = shorter
        if (found := nodes.get(name) or producers.get(name)) is not None:
            return found
        shorter = _ADDED.sub("", name)
    if event.op not in INSERTED:
        raise AlignmentError(
            f"the profile has a node {quoted(event.tag)} ({event.op}) that is not in the file"
        )
    return None


def _fused(
    operator: Operator, kernel: str, producers: Mapping[str, Operator], own: Collection[int]
) -> list[Operator]:
    """A node and the nodes before it that were fused into the same kernel."""
    found: dict[int, Operator] = {}
    waiting = [operator]
    while waiting:
        one = waiting.pop()
        if one.macs > 0 and not any(word in kernel for word in KERNELS.get(one.type, ())):
            continue
        found[one.index] = one
        before = [producers[name] for name in one.inputs if name in producers]
        waiting += [b for b in before if b.index not in own and b.index not in found]
    return list(found.values())


def _neighbor(
    place: int,
    events: Sequence[ProfileEvent],
    named: Sequence[Operator | None],
    shares: Sequence[Sequence[Share]],
) -> int:
    """The main operator of the event to which an inserted event belongs."""
    before = [other for other in range(place) if named[other] is not None]
    after = [other for other in range(place + 1, len(named)) if named[other] is not None]
    if not before and not after:
        raise AlignmentError("the profile has no node of the file")
    is_behind = events[place].op in BELONGS_TO_THE_ONE_BEFORE or not after
    chosen = before[-1] if before and is_behind else after[0]
    return max(shares[chosen], key=lambda share: share.share).operator
