"""A breakdown in results.json: the tree of modules, each with its time and its work.

Rows stand in the order of a walk through the tree, parents before their parts. The parts of a row
add up to it: operators that stand in a module itself and in none of its parts have a row of kind
"own". The parts of the first row, one of which is "unattributed", add up to the time of separate
runs without a profiler.
"""

from typing import Literal, Self

from pydantic import model_validator

from seaformer.benchmark.results.base import FrozenModel
from seaformer.benchmark.results.npu_breakdown import NpuBreakdown
from seaformer.errors import quoted
from seaformer.statistics.bootstrap import Interval

Method = Literal["profile", "prefix"]
RowKind = Literal["network", "module", "own", "unattributed", "tail"]

UNATTRIBUTED = "(unattributed)"
POST_PROCESSING = "(tail)"
OWN = "(own)"
"""Paths of rows that are no modules; the last follows the path of the module and a point."""


class Row(FrozenModel):
    """A module, or what stands beside the modules.

    Attributes:
        path: of the module in the network, "" for the network; unique in the breakdown.
        parent: path of the row that it is a part of; null for the network, and for the
            post-processing, which is computed after the inference and is not a part of it.
        depth: how many rows it is below the network, which has 0.
        title: the module in the words of the paper, or the last part of its path.
        kind: "network", the measured total; "module"; "own", operators of a module that are in none
            of its parts; "unattributed", the rest of the total, below 0 where the profiler slows
            the operators down; "tail", the arg-max in C to the full-size mask.
        ops: operators of the file in it.
        ms: time by the `method` of the breakdown; null if the method cannot tell.
        interval_ms: of `ms`, 95 %; null with too few rounds.
        share: of the measured total, 0..1; that of the post-processing is relative to it and may
            be above 1.
        check_ms: time by the other method; null if that was not measured or cannot tell.
        check_interval_ms: of `check_ms`.
        agrees: whether the intervals of the two methods overlap; null if one is missing.
        macs: multiply-accumulates; null if the file does not say.
        macs_share: of the file's, 0..1.
        gflops: effective GFLOP/s, 2 operations for each of the `macs`; null without them or time.
        section: of the paper that the module is in; null if the file does not say.
    """

    path: str
    parent: str | None
    depth: int
    title: str
    kind: RowKind
    ops: int
    ms: float | None
    interval_ms: Interval | None
    share: float | None
    check_ms: float | None = None
    check_interval_ms: Interval | None = None
    agrees: bool | None = None
    macs: int | None = None
    macs_share: float | None = None
    gflops: float | None = None
    section: str | None = None


class OperatorTime(FrozenModel):
    """An operator of the file.

    Attributes:
        index: place in the file's order of execution.
        type: in the file's own words.
        module: path of the module it belongs to.
        name: of its first output, as Model Explorer shows it, or of the ONNX node.
        ms: by the profile; null without one. Several operators that the runtime computed as one
            share its time by the written rule of `alignment` and `onnx_profile`.
        macs: null if the file does not say.
        kernels: what the runtime called what it ran for it; empty if it ran nothing.
        runs_us: rounds of profiled runs: the operator's time in each, in microseconds, with the
            profiler's own work in it.
    """

    index: int
    type: str
    module: str
    name: str
    ms: float | None
    macs: int | None
    kernels: tuple[str, ...]
    runs_us: tuple[tuple[float, ...], ...]


class TruncatedModel(FrozenModel):
    """A model from the input to the end of a module, measured by the method "prefix".

    Attributes:
        id: of its blocks in the rounds.
        end: path of the module that ends there.
        operators: how many operators of the file it has.
        outputs: tensors that it gives: all that later operators need.
        median_ms: of all its runs.
    """

    id: str
    end: str
    operators: int
    outputs: int
    median_ms: float


class Breakdown(FrozenModel):
    """Where the time of one model goes.

    Attributes:
        method: of `Row.ms`: "profile" if the runtime's profile could be aligned, else "prefix".
        emulated: whether the processor was: the times are then none, not even by their shares.
        total_ms: median of the separate unprofiled runs, which everything adds up to.
        total_interval_ms: of `total_ms`.
        unattributed_share: of the total; the row of that kind has the time.
        profile_overhead: by how much longer profiled runs take, 0.02 for 2 %; null without profile.
        profile_runs: profiled runs in all rounds.
        profiler_us: taken off every event of the profile as the profiler's own work, in
            microseconds; null without profile.
        rows: parents before their parts; first the network, last the unattributed and the
            post-processing.
        operators: of the file, in the order of execution.
        cuts: in the order of their length; empty if "prefix" was not used.
        disagreements: a sentence for each row that the methods disagree on beyond their intervals.
        notes: what else has to be known: why a method was not used, rules that were applied.
        npu: cycles by Qualcomm's own profile, of the last round; null elsewhere, and where it does
            not fit the file.
    """

    method: Method
    emulated: bool
    total_ms: float
    total_interval_ms: Interval | None
    unattributed_share: float
    profile_overhead: float | None
    profile_runs: int
    profiler_us: float | None = None
    rows: tuple[Row, ...]
    operators: tuple[OperatorTime, ...]
    cuts: tuple[TruncatedModel, ...]
    disagreements: tuple[str, ...]
    notes: tuple[str, ...]
    npu: NpuBreakdown | None = None

    @model_validator(mode="after")
    def _check_tree(self) -> Self:
        paths: set[str] = set()
        for row in self.rows:
            if row.path in paths:
                raise ValueError(f"rows have the path {quoted(row.path)} twice")
            if row.parent is not None and row.parent not in paths:
                raise ValueError(f"rows have no parent {quoted(row.parent)} before its parts")
            paths.add(row.path)
        return self

    def parts(self, path: str) -> tuple[Row, ...]:
        """The rows directly below the one of a path."""
        return tuple(row for row in self.rows if row.parent == path)
