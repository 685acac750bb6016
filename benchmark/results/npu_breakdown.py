"""NPU cycles by module, and by operators that the compiler inserted.

Rows are in depth-first order, parents before their children. The children of a row add up to it,
and the first row has all cycles of the profile.
"""

from typing import Literal

from seaformer.benchmark.results.base import Document, FrozenModel

NpuRowKind = Literal["network", "module", "own", "inserted", "transfer", "unknown"]


class NpuRow(FrozenModel):
    """A module of the network, or other cycles of the profile.

    Attributes:
        path: path of the module in the network, "" for the network; for other rows a description in
            parentheses.
        parent: path of the row that contains it; null for the network.
        depth: depth below the network, which has 0.
        title: the module as the paper names it, or the last component of its path.
        kind: "network", everything; "module"; "own", operators of a module outside any submodule;
            "inserted", operators that the compiler inserted, by type; "transfer", the input or the
            output; "unknown", events whose names match no node of the file.
        events: number of events of the profile.
        cycles: mean of the runs.
        share: share of all cycles, 0..1.
    """

    path: str
    parent: str | None
    depth: int
    title: str
    kind: NpuRowKind
    events: int
    cycles: float
    share: float


class NpuBreakdown(Document):
    """The cycles of one profile, which are not latency.

    Attributes:
        model: name of the .onnx file.
        profile: name of the profile.
        runs: number of runs of the model in the profile.
        partitions: number of subgraphs that the NPU ran.
        rows: parents before their children.
        unknown: names of the events of the kind "unknown".
    """

    model: str
    profile: str
    runs: int
    partitions: int
    rows: tuple[NpuRow, ...]
    unknown: tuple[str, ...]
