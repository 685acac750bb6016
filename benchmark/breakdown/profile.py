"""The method "profile": times of operators from the runtime's own profiler.

Between its two readings of the clock a profiler works too: ONNX Runtime puts the shapes of every
node into words there. Four networks of 246 to 506 nodes had 2.4 to 2.7 microseconds too much for
each of them so, 1.6 to 4.6 % of their time. That work is in every event alike, so it is no more
than the cheapest event takes, and no more than profiling adds to a run, divided by its events. The
smaller of the two is taken off every event.
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
        runs_us: [operators, rounds, runs], in microseconds, as the runtime gave them.
        spans_us: [rounds, runs], of whole runs while they are profiled.
        cheapest_us: [rounds], the event of a run that takes least.
        events: [operators], how many events belong to each; of a shared one its share.
        kernels: of each operator, what the runtime called what it ran for it.
    """

    runs_us: npt.NDArray[np.float64]
    spans_us: npt.NDArray[np.float64]
    cheapest_us: npt.NDArray[np.float64]
    events: npt.NDArray[np.float64]
    kernels: tuple[tuple[str, ...], ...]

    def own_us(self, wholes_us: npt.NDArray[np.float64]) -> float:
        """Return the profiler's own time in each event, see above.

        `wholes_us`, [rounds], is of the model without a profiler, in the same rounds.
        """
        added_us = float(np.median(np.median(self.spans_us, axis=1) - wholes_us))
        cheapest_us = float(np.median(self.cheapest_us))
        return max(0.0, min(cheapest_us, added_us / max(self.events.sum(), 1)))

    def net_us(self, own_us: float) -> npt.NDArray[np.float64]:
        """Return `runs_us` without the profiler's own time in each event."""
        return np.maximum(self.runs_us - own_us * self.events[:, None, None], 0)


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
    """Time of a whole profiled run: kernels of a delegate do not say when they began."""
    timed = [event for event in events if event.kind != "delegate"]
    return max(e.start_us + e.elapsed_us for e in timed) - min(e.start_us for e in timed)
