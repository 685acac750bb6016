"""Per-model profiling state: truncated models, events of every round, breakdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.benchmark.breakdown.methods import PrefixTimes, ProfileTimes
from seaformer.benchmark.breakdown.npu_modules import break_down
from seaformer.benchmark.breakdown.profile import Profile, read_profile
from seaformer.benchmark.breakdown.qnn_profile import read_qnn_profile
from seaformer.benchmark.breakdown.rows import disagreement, make_rows
from seaformer.benchmark.breakdown.tree import build_tree
from seaformer.benchmark.breakdown.truncation import Segment, segments
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.results.breakdown import Breakdown, OperatorTime, TruncatedModel
from seaformer.benchmark.results.npu_breakdown import NpuBreakdown
from seaformer.benchmark.results.rounds import times_by_round
from seaformer.benchmark.results.schema import Round, Times
from seaformer.benchmark.runner.record import ProfileEvent
from seaformer.errors import SeaformerError
from seaformer.statistics.bootstrap import Floats

PROFILE_RUNS = 5
"""Profiled runs at the end of every round."""

FIXED_COST = (
    "with truncated-model timing, the first module includes the fixed cost of an inference, and "
    "a kernel fused across the boundary of two modules counts for only one of them"
)


ON_ACCELERATOR = (
    "in the runtime's profile, everything on an accelerator is one operator, so only "
    "truncated-model timing attributes latency to modules: each truncated model is compiled "
    "separately, and its last tensors are copied to the CPU"
)


@dataclass(frozen=True)
class TruncatedFile:
    """A truncated model on this computer, and the segment that it ends with."""

    id: str
    path: Path
    segment: Segment


class ModelProfiling:
    """State for the breakdown of one model; truncated models are sorted, the shortest first."""

    def __init__(self, candidate: Candidate, folder: Path, has_profile: bool = True) -> None:
        """Truncate the model after every segment, into files of a folder.

        `has_profile` is whether the runtime's profile distinguishes operators.

        Raises:
            SeaformerError: the model has no mapping of operators to modules.
        """
        self.candidate = candidate
        self._has_profile = has_profile
        self._graph = open_graph(candidate.path, candidate.metadata)
        self._modules = {} if candidate.metadata is None else candidate.metadata.modules
        self._tree = build_tree(self._graph.operators, candidate.title, self._modules)
        self._npu_profile = folder / f"{candidate.id}.csv"
        self._events: dict[int, tuple[ProfileEvent, ...]] = {}
        files = []
        for number, segment in enumerate(segments(self._graph, self._tree)):
            name = f"{candidate.id}.cut{number}"
            path = candidate.path
            if segment.outputs:
                path = folder / f"{name}{candidate.path.suffix.lower()}"
                path.write_bytes(self._graph.truncated(segment.outputs))
            files.append(TruncatedFile(name, path, segment))
        self.truncated = tuple(files)

    def add_profile(self, index: int, events: Sequence[ProfileEvent]) -> None:
        """Add the events of a round, ignoring other models' events."""
        self._events[index] = tuple(e for e in events if e.model == self.candidate.id)

    def add_npu_profile(self, content: bytes) -> None:
        """Store the profile from Qualcomm's profiler; it replaces the previous round's profile."""
        self._npu_profile.write_bytes(content)

    def breakdown(
        self, rounds: Sequence[Round], times: Times, emulated: bool, seed: int
    ) -> Breakdown | None:
        """Compute the breakdown; None if neither method produced one.

        Args:
            rounds: all rounds of the benchmark.
            times: times of the model, measured by our runner.
            emulated: whether the device is emulated.
            seed: random seed of the bootstrap.
        """
        assert times.run is not None  # our runner reports individual runs
        total_ms, notes = times.run.median_ms, []
        profile = by_profile = npu = None
        try:
            if self._npu_profile.exists():
                npu = self._npu_cycles()
            elif self._has_profile:
                profile, wholes_ms = self._profile(rounds)
                by_profile = ProfileTimes(profile, wholes_ms, total_ms, seed)
            else:
                notes.append(ON_ACCELERATOR)
        except SeaformerError as error:
            notes.append(f"the profile was not used: {str(error).rstrip('.')}")
        by_prefix = self._prefix(rounds, total_ms, seed)
        if by_prefix is not None:
            notes.append(FIXED_COST)
        main = by_profile or by_prefix
        if main is None:
            return None
        check = by_prefix if by_profile is not None else None
        rows = make_rows(self._tree, self._graph, main, check, times)
        return Breakdown(
            method="prefix" if by_profile is None else "profile",
            emulated=emulated,
            total_ms=total_ms,
            total_interval_ms=times.run.interval_ms,
            unattributed_share=main.rest().ms / total_ms,
            profile_overhead=None if by_profile is None else by_profile.overhead,
            profile_runs=0 if profile is None else profile.spans_us.size,
            profiler_us=None if by_profile is None else by_profile.own_us,
            rows=rows,
            operators=self._operators(profile, by_profile),
            cuts=() if by_prefix is None else self._truncated_results(rounds),
            disagreements=tuple(disagreement(row) for row in rows if row.agrees is False),
            notes=tuple(notes),
            npu=npu,
        )

    def _npu_cycles(self) -> NpuBreakdown:
        """Sum the cycles of the NPU's profile by module.

        Raises:
            SeaformerError: it is damaged, or from another file.
        """
        profile, model = read_qnn_profile(self._npu_profile), self.candidate.path
        return break_down(self._graph, profile, model, self._npu_profile, self._modules)

    def _profile(self, rounds: Sequence[Round]) -> tuple[Profile, Floats]:
        """The profiled runs of the used rounds, and their unprofiled runs.

        Raises:
            SeaformerError: there are none, or they do not match the file.
        """
        wholes = times_by_round(rounds, self.candidate.id)
        indices = [index for index in sorted(wholes) if index in self._events]
        profile = read_profile(self._graph, [self._events[index] for index in indices])
        return profile, np.array([np.median(wholes[index]) for index in indices])

    def _prefix(self, rounds: Sequence[Round], total_ms: float, seed: int) -> PrefixTimes | None:
        by_file = [times_by_round(rounds, file.id) for file in self.truncated]
        indices = sorted(set.intersection(*(set(one) for one in by_file)))
        if not indices:
            return None
        ends_ms = np.array([[np.median(one[index]) for index in indices] for one in by_file])
        parts = [file.segment for file in self.truncated]
        return PrefixTimes(parts, self._graph.working(), ends_ms, total_ms, seed)

    def _operators(
        self, profile: Profile | None, times: ProfileTimes | None
    ) -> tuple[OperatorTime, ...]:
        return tuple(
            OperatorTime(
                index=one.index,
                type=one.type,
                module=one.module,
                name=one.name,
                ms=None if times is None else times.sum([one.index]).ms,
                macs=one.macs,
                kernels=() if profile is None else profile.kernels[one.index],
                runs_us=()
                if profile is None
                else tuple(tuple(map(float, runs)) for runs in profile.runs_us[one.index]),
            )
            for one in self._graph.operators
        )

    def _truncated_results(self, rounds: Sequence[Round]) -> tuple[TruncatedModel, ...]:
        done, found = 0, []
        for file in self.truncated:
            done += len(file.segment.operators)
            runs = list(times_by_round(rounds, file.id).values())
            found.append(
                TruncatedModel(
                    id=file.id,
                    end=file.segment.path,
                    operators=done,
                    outputs=len(file.segment.outputs or self._graph.outputs),
                    median_ms=float(np.median(np.concatenate(runs))),
                )
            )
        return tuple(found)
