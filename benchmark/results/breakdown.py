"""A breakdown in results.json: the tree of modules, each with its latency and its MACs.

Rows are in depth-first order, parents before their children. The children of a row add up to it:
operators that belong to a module but to none of its submodules have a row of kind "own". The
children of the first row, one of which is "unattributed", add up to the latency of separate runs
without a profiler.
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
"""Paths of rows other than modules; the last is appended to the path of the module and a dot."""


class Row(FrozenModel):
    """A module, or another share of the latency.

    Attributes:
        path: path of the module in the network, "" for the network; unique in the breakdown.
        parent: path of the row that contains it; null for the network, and for the
            post-processing, which runs after the inference and is not part of it.
        depth: depth below the network, which has 0.
        title: the module as the paper names it, or the last component of its path.
        kind: "network", the measured total; "module"; "own", operators of a module outside any
            submodule; "unattributed", the rest of the total, negative where the profiler slows
            the operators down; at `POST_PROCESSING`, the arg-max in C to the full-size mask.
        ops: number of operators of the file in it.
        ms: latency by the `method` of the breakdown; null if the method cannot measure it.
        interval_ms: interval of `ms`, 95 %; null with too few rounds.
        share: share of the measured total, 0..1; for the post-processing, the ratio to the total,
            which may be above 1.
        check_ms: latency by truncated-model timing if `method` is "profile"; null if that was not
            used or cannot measure it.
        check_interval_ms: interval of `check_ms`.
        agrees: whether the intervals of the two methods overlap; null if either is missing.
        macs: multiply-accumulates; null if the file does not record them.
        macs_share: share of the MACs of the file, 0..1.
        gflops: effective GFLOP/s, 2 operations for each of the `macs`; null without MACs or time.
        section: section of the paper about the module; null if the file does not record it.
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
        index: position in the execution order of the file.
        type: operator type, as in the file.
        module: path of the module it belongs to.
        name: name of its first output, as Model Explorer shows it, or of the ONNX node.
        ms: latency by the profile; null without a profile. Operators that the runtime fused share
            the time of the fused kernel by the rule in `alignment` and `onnx_profile`.
        macs: multiply-accumulates; null if the file does not record them.
        kernels: names of the kernels that the runtime ran for it; empty if it ran none.
        runs_us: the operator's time in microseconds in each profiled run, by round, including the
            overhead of the profiler.
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
    """A model from the input to the end of a module, for truncated-model timing ("prefix").

    Attributes:
        id: model id of its blocks in the rounds.
        end: path of the module that it ends with.
        operators: number of operators of the file in it.
        outputs: number of its output tensors: all tensors that later operators need.
        median_ms: median of all its runs.
    """

    id: str
    end: str
    operators: int
    outputs: int
    median_ms: float


class Breakdown(FrozenModel):
    """Latency of one model by module.

    Attributes:
        method: method of `Row.ms`: "profile" if the runtime's profile could be aligned, else
            "prefix".
        emulated: whether the processor was emulated: neither times nor shares are then meaningful.
        total_ms: median of the separate unprofiled runs, to which all rows add up.
        total_interval_ms: interval of `total_ms`.
        unattributed_share: unattributed share of the total; the row of this kind has the time.
        profile_overhead: relative slowdown of profiled runs, 0.02 for 2 %; null without profile.
        profile_runs: number of profiled runs in all rounds.
        profiler_us: overhead of the profiler in microseconds, subtracted from every event of the
            profile; null without profile.
        rows: parents before their children; first the network, last the unattributed time and the
            post-processing.
        operators: operators of the file, in execution order.
        cuts: truncated models, shortest first; empty if "prefix" was not used.
        disagreements: a sentence for each row on which the intervals of the two methods do not
            overlap.
        notes: further remarks: why a method was not used, which rules were applied.
        npu: cycles by Qualcomm's profile of the last round; null on other accelerators, and if the
            profile does not match the file.
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
                raise ValueError(f"row {quoted(row.path)} precedes its parent {quoted(row.parent)}")
            paths.add(row.path)
        return self

    @property
    def overhead_text(self) -> str:
        """Overhead of the profiler as text: noise if it is within the interval of the total."""
        overhead, interval = self.profile_overhead or 0.0, self.total_interval_ms
        noise = 0.0 if interval is None else interval.half_width / self.total_ms
        if round(overhead, 3) <= noise:
            return "profiling overhead within noise"
        return f"profiling overhead {100 * overhead:.1f} %"

    @property
    def excess_text(self) -> str:
        """Why the shares of modules are wrong, as text; empty if they are consistent.

        They are inconsistent if the modules need more time in the profiled runs than the network in
        the other runs, beyond the interval of the difference or, without an interval, at all.
        """
        rest = next((row for row in self.rows if row.kind == "unattributed"), None)
        if rest is None or rest.ms is None:
            return ""
        ends = rest.interval_ms
        if (rest.ms if ends is None else ends.high) >= 0:
            return ""

        def share(rest_ms: float) -> str:
            return f"{100 * (1 - rest_ms / self.total_ms):.1f}"

        interval = "" if ends is None else f" ({share(ends.high)} to {share(ends.low)})"
        return (
            f"the times of all modules add up to {share(rest.ms)} %{interval} of the latency. "
            "Measure again while no other program is running"
        )

    def children(self, path: str) -> tuple[Row, ...]:
        """The child rows of the row with a path."""
        return tuple(row for row in self.rows if row.parent == path)
