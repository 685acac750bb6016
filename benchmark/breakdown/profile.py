"""The method "profile": times of operators from the runtime's own profiler.

A profiler adds overhead between its two clock readings: ONNX Runtime formats the shapes of every
node there. For four networks of 246 to 506 nodes this added 2.4 to 2.7 microseconds per node, 1.6
to 4.6 % of their latency. The overhead is the same for every event, so it is bounded by the
duration of the cheapest event, and by the slowdown of a profiled run divided by its number of
events. The smaller of the two bounds is subtracted from every event.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seaformer.benchmark.breakdown.alignment import AlignmentError, Share, align_litert
from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.breakdown.onnx_profile import align_onnx
from seaformer.benchmark.runner.record import ProfileEvent

Events = Sequence[ProfileEvent]


@dataclass(frozen=True)
class Profile:
    """The profiled runs of one model.

    Attributes:
        runs_us: [operators, rounds, runs], in microseconds, as reported by the runtime.
        spans_us: [rounds, runs], duration of whole profiled runs.
        cheapest_us: [rounds], duration of the shortest event of a run.
        events: [operators], number of events of each; shared events count by their share.
        kernels: names of the kernels that the runtime ran for each operator.
    """

    runs_us: npt.NDArray[np.float64]
    spans_us: npt.NDArray[np.float64]
    cheapest_us: npt.NDArray[np.float64]
    events: npt.NDArray[np.float64]
    kernels: tuple[tuple[str, ...], ...]

    def own_us(self, wholes_us: npt.NDArray[np.float64]) -> float:
        """Return the overhead of the profiler in each event, see above.

        `wholes_us`, [rounds], is the latency of the model without a profiler, in the same rounds.
        """
        added_us = float(np.median(np.median(self.spans_us, axis=1) - wholes_us))
        cheapest_us = float(np.median(self.cheapest_us))
        return max(0.0, min(cheapest_us, added_us / max(self.events.sum(), 1)))

    def net_us(self, own_us: float) -> npt.NDArray[np.float64]:
        """Return `runs_us` without the overhead of the profiler in each event."""
        return np.maximum(self.runs_us - own_us * self.events[:, None, None], 0)


def read_profile(graph: Graph, rounds: Sequence[Events]) -> Profile:
    """Align the events of all rounds.

    Every round is a separate process and aligned separately: operators inserted by a runtime may
    have different names or positions in each.

    Args:
        graph: the file.
        rounds: for each round, the events of its profiled runs of this model.

    Raises:
        AlignmentError: they do not match the file, or differ within a round.
    """
    runs = [_by_run(events) for events in rounds]
    if not runs or not runs[0] or len({len(one) for one in runs}) != 1:
        raise AlignmentError("the profile has no events, or rounds with different numbers of runs")
    align = align_onnx if graph.nodes else align_litert
    times = np.zeros((len(graph.operators), len(runs), len(runs[0])))
    spans = np.zeros(times.shape[1:])
    cheapest = np.zeros(len(runs))
    shares: tuple[Share, ...] = ()
    for turn, of_round in enumerate(runs):
        shares = align(graph, of_round[0])
        elapsed_us = [[event.elapsed_us for event in events] for events in of_round]
        for run, events in enumerate(of_round):
            if [event.tag for event in events] != [event.tag for event in of_round[0]]:
                raise AlignmentError("the runtime did not run the same kernels in every run")
            spans[turn, run] = _span_us(events)
            for share in shares:
                elapsed = events[share.event].elapsed_us * share.share
                times[share.operator, turn, run] += elapsed
        timed = sorted({share.event for share in shares})
        cheapest[turn] = min(np.median(elapsed_us, axis=0)[timed], default=0.0)
    last = runs[-1][-1]
    kernels: dict[int, list[str]] = defaultdict(list)
    for share in shares:
        kernels[share.operator].append(last[share.event].op or last[share.event].tag)
    counts = np.zeros(len(graph.operators))
    np.add.at(counts, [one.operator for one in shares], [one.share for one in shares])
    return Profile(
        runs_us=times,
        spans_us=spans,
        cheapest_us=cheapest,
        events=counts,
        kernels=tuple(tuple(kernels[one.index]) for one in graph.operators),
    )


def _by_run(events: Events) -> list[list[ProfileEvent]]:
    runs: Mapping[int, list[ProfileEvent]] = defaultdict(list)
    for event in events:
        runs[event.run].append(event)
    return [sorted(runs[run], key=lambda event: event.index) for run in sorted(runs)]


def _span_us(events: Events) -> int:
    """Duration of a whole profiled run: kernels of a delegate do not report their start."""
    timed = [event for event in events if event.kind != "delegate"]
    if not timed:
        raise AlignmentError("the profile has no event that marks the start of a run")
    return max(e.start_us + e.elapsed_us for e in timed) - min(e.start_us for e in timed)
