"""The method "profile": times of operators from the runtime's own profiler."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seaformer.benchmark.breakdown.alignment import AlignmentError, Share, align_litert
from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.runner.record import ProfileEvent

Events = Sequence[ProfileEvent]


@dataclass(frozen=True)
class Profile:
    """The profiled runs of one model.

    Attributes:
        runs_us: [operators, rounds, runs], in microseconds.
        spans_us: [rounds, runs], of whole runs while they are profiled.
        kernels: of each operator, what the runtime called what it ran for it.
    """

    runs_us: npt.NDArray[np.float64]
    spans_us: npt.NDArray[np.float64]
    kernels: tuple[tuple[str, ...], ...]


def read_profile(graph: Graph, rounds: Sequence[Events]) -> Profile:
    """Align the events of all rounds.

    Every round is a process of its own and aligned by itself: what a runtime inserts may have
    another name, or another place, in each.

    Args:
        graph: the file.
        rounds: of each round, the events of its profiled runs of this model.

    Raises:
        AlignmentError: they do not fit the file, or differ within a round.
    """
    runs = [_by_run(events) for events in rounds]
    if not runs or not runs[0] or len({len(one) for one in runs}) != 1:
        raise AlignmentError("the profile has no events, or not as many runs in every round")
    align = _aligner(graph)
    times = np.zeros((len(graph.operators), len(runs), len(runs[0])))
    spans = np.zeros(times.shape[1:])
    shares: tuple[Share, ...] = ()
    for turn, of_round in enumerate(runs):
        shares = align(of_round[0])
        for run, events in enumerate(of_round):
            if [event.tag for event in events] != [event.tag for event in of_round[0]]:
                raise AlignmentError("the runtime did not run the same kernels in every run")
            spans[turn, run] = _span_us(events)
            for share in shares:
                elapsed = events[share.event].elapsed_us * share.share
                times[share.operator, turn, run] += elapsed
    last = runs[-1][-1]
    kernels: dict[int, list[str]] = defaultdict(list)
    for share in shares:
        kernels[share.operator].append(last[share.event].op or last[share.event].tag)
    return Profile(
        runs_us=times,
        spans_us=spans,
        kernels=tuple(tuple(kernels[one.index]) for one in graph.operators),
    )


def _aligner(graph: Graph) -> Callable[[Events], tuple[Share, ...]]:
    from seaformer.benchmark.breakdown.onnx_graph import OnnxGraph
    from seaformer.benchmark.breakdown.onnx_profile import align_onnx

    if isinstance(graph, OnnxGraph):
        return lambda events: align_onnx(graph, events)
    return lambda events: align_litert(graph, events)


def _by_run(events: Events) -> list[list[ProfileEvent]]:
    runs: Mapping[int, list[ProfileEvent]] = defaultdict(list)
    for event in events:
        runs[event.run].append(event)
    return [sorted(runs[run], key=lambda event: event.index) for run in sorted(runs)]


def _span_us(events: Events) -> int:
    """Time of a whole profiled run: kernels of a delegate do not say when they began."""
    timed = [event for event in events if event.kind != "delegate"]
    return max(e.start_us + e.elapsed_us for e in timed) - min(e.start_us for e in timed)
