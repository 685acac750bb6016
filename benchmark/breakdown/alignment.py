"""Alignment of the events of LiteRT's profile with the operators of a .tflite file.

Events of operators outside the delegate have the operator's index. Events of XNNPACK kernels have
only a name, but are in the order of the operators: operators are matched, in order, with the
kernels that can implement them (`kernels.py`). If the delegate has several partitions, the order is
that in which TensorFlow Lite partitions a graph: all operators that are ready and inside, then all
that are ready and outside, and so on.

Every operator must match its kernels and every kernel an operator; anything else is an error,
because an offset of one would attribute the time of every later module to a different one. If
several kernels can belong to either of two neighboring operators of one type, the first takes as
many as possible.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.benchmark.breakdown.kernels import ACTIVATION, KERNELS, begins_with
from seaformer.benchmark.runner.record import ProfileEvent
from seaformer.errors import SeaformerError

DELEGATE_NODES = ("TfLiteXNNPackDelegate", "DELEGATE")
"""Events of whole partitions, whose kernels have separate events."""


class AlignmentError(SeaformerError):
    """The profile is from another file, or has unknown kernels."""


@dataclass(frozen=True)
class Share:
    """A share of an event that is attributed to an operator.

    Attributes:
        event: index of the event in the given sequence.
        operator: index of the operator in the file.
        share: share of the event's time, 0..1.
    """

    event: int
    operator: int
    share: float = 1.0


def align_litert(graph: Graph, events: Sequence[ProfileEvent]) -> tuple[Share, ...]:
    """Attribute every event of one profiled run of a .tflite, in order, to an operator.

    Raises:
        AlignmentError: events and file do not match.
    """
    count = len(graph.operators)
    alone = {
        place: event.node
        for place, event in enumerate(events)
        if event.kind == "operator" and event.tag not in DELEGATE_NODES
    }
    for place, node in alone.items():
        tag = events[place].tag
        if node is None or node >= count or graph.operators[node].type != tag:
            raise AlignmentError(
                f"the profile has an operator {tag} at {node}, where the file has a different one"
            )
    inside = [place for place, event in enumerate(events) if event.kind == "delegate"]
    outside = {node for node in alone.values() if node is not None}
    order = [
        operator for operator in partition_order(graph, outside) if operator.index not in outside
    ]
    taken = match(order, [events[place].tag for place in inside])
    shares = [Share(place, node) for place, node in alone.items() if node is not None]
    for operator, kernels in zip(order, taken, strict=True):
        shares += [Share(inside[kernel], operator.index) for kernel in kernels]
    return tuple(sorted(shares, key=lambda one: one.event))


def partition_order(graph: Graph, outside: set[int]) -> list[Operator]:
    """Return all operators in the order in which TensorFlow Lite runs the partitions.

    Raises:
        AlignmentError: operators depend on each other in a cycle, so that no order exists.
    """
    working = {operator.index for operator in graph.working()}
    computed = {
        name
        for operator in graph.operators
        for name in operator.outputs
        if operator.index in working
    }
    ready: set[str] = set()
    waiting, ordered = list(graph.operators), []
    # The first epoch is inside or outside the delegate like the first operator.
    is_outside = bool(waiting) and waiting[0].index in outside
    is_stuck = False
    while waiting:
        left = []
        for operator in waiting:
            needed = computed.intersection(operator.inputs)
            if (operator.index in outside) == is_outside and needed <= ready:
                ordered.append(operator)
                ready.update(operator.outputs)
            else:
                left.append(operator)
        if is_stuck and len(left) == len(waiting):  # neither inside nor outside the delegate
            raise AlignmentError(f"operator {left[0].index} depends on its own output")
        is_stuck = len(left) == len(waiting)
        waiting, is_outside = left, not is_outside
    return ordered


def match(operators: Sequence[Operator], kernels: Sequence[str]) -> list[range]:
    """Assign to each operator the indices of its kernels; both sequences are in execution order.

    Raises:
        AlignmentError: there is no valid assignment.
    """
    reached = [{0: 0}]  # after each operator: possible end of its kernels -> their start
    for operator in operators:
        after: dict[int, int] = {}
        for start in reached[-1]:
            for end in _ends(operator, kernels, start):
                after[end] = min(start, after.get(end, start))
        if not after:
            furthest = max(reached[-1])
            found = f"'{kernels[furthest]}'" if furthest < len(kernels) else "the end"
            raise AlignmentError(
                f"the profile has {found} at position {furthest} of {len(kernels)}, where operator "
                f"{operator.index} ({operator.type}) of the file should run"
            )
        reached.append(after)
    end = len(kernels)
    if end not in reached[-1]:
        furthest = max(reached[-1])
        raise AlignmentError(
            f"the profile has {end} kernels, and the file's {len(operators)} operators account for "
            f"the first {furthest}: '{kernels[furthest]}' belongs to no operator"
        )
    taken = []
    for before in reversed(reached[1:]):
        start = before[end]
        taken.append(range(start, end))
        end = start
    return taken[::-1]


def _ends(operator: Operator, kernels: Sequence[str], start: int) -> list[int]:
    """Possible ends of the kernels of an operator that start at `start`."""
    is_square = operator.type == "MUL" and len(operator.inputs) > len(set(operator.inputs))
    known = KERNELS.get("SQUARE" if is_square else operator.type)
    if known is None:
        raise AlignmentError(f"the kernels of {operator.type} are unknown, see `kernels.py`")
    first = start
    while first < len(kernels) and begins_with(kernels[first], known.before):
        first += 1
    most = len(operator.outputs) if known.per_output else 1
    ends = [start] if known.least == 0 else []
    for end in range(first + 1, min(first + most, len(kernels)) + 1):
        if not begins_with(kernels[end - 1], known.names):
            break
        ends.append(end)
        if (
            operator.has_activation
            and end < len(kernels)
            and begins_with(kernels[end], (ACTIVATION,))
        ):
            ends.append(end + 1)
    return ends
