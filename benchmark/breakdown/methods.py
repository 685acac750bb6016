"""The two attribution methods, which estimate the time of rows."""

from collections.abc import Sequence

import numpy as np

from seaformer.benchmark.breakdown.estimate import (
    Estimate,
    Estimates,
    median_rounds,
    middle_half,
    middle_rounds,
)
from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.breakdown.profile import Profile
from seaformer.benchmark.breakdown.tree import Node
from seaformer.benchmark.breakdown.truncation import Segment
from seaformer.statistics.bootstrap import Floats


class ProfileTimes(Estimates):
    """Times of operators, from the runtime's profiler.

    Attributes:
        overhead: relative slowdown of profiled runs.
        own_us: overhead of the profiler that was subtracted from every event, in microseconds.
    """

    def __init__(self, profile: Profile, wholes_ms: Floats, total_ms: float, seed: int) -> None:
        """Estimate the times.

        Args:
            profile: the profiled runs.
            wholes_ms: [rounds], unprofiled latency in the same rounds.
            total_ms: the measured latency of the model.
            seed: random seed of the bootstrap.
        """
        self.own_us = profile.own_us(1000 * wholes_ms)
        parts_ms = middle_half(profile.net_us(self.own_us)) / 1000
        super().__init__(parts_ms, wholes_ms, total_ms, seed, middle_rounds)
        spans_ms = np.median(profile.spans_us, axis=1) / 1000
        self.overhead = float(np.median(spans_ms / wholes_ms)) - 1

    def time(self, node: Node) -> Estimate:
        """The time of a row."""
        return self.sum(node.operators)


class PrefixTimes(Estimates):
    """Times of segments, from differences between truncated models."""

    def __init__(
        self,
        segments: Sequence[Segment],
        working: Sequence[Operator],
        ends_ms: Floats,
        total_ms: float,
        seed: int,
    ) -> None:
        """Estimate the times.

        Args:
            segments: segments of the model.
            working: its operators that depend on the input.
            ends_ms: [segments, rounds], of the model truncated at the end of each segment.
            total_ms: the measured latency of the model.
            seed: random seed of the bootstrap.
        """
        parts_ms = np.diff(ends_ms, axis=0, prepend=0)
        super().__init__(parts_ms, ends_ms[-1], total_ms, seed, median_rounds)
        self._working = {operator.index for operator in working}
        self._segments = [{operator.index for operator in one.operators} for one in segments]

    def time(self, node: Node) -> Estimate | None:
        """The time of a row; None if it is not a union of segments."""
        wanted = self._working.intersection(node.operators)
        parts = [number for number, have in enumerate(self._segments) if have <= wanted]
        covered = set[int]().union(*(self._segments[number] for number in parts))
        return self.sum(parts) if parts and covered == wanted else None


MethodTimes = ProfileTimes | PrefixTimes
