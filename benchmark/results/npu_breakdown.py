"""Where an NPU spends its cycles: the tree of modules, and what the compiler added to it.

Rows stand in the order of a walk through the tree, parents before their parts. The parts of a row
add up to it, and the first row is all cycles of the profile.
"""

from typing import Literal

from seaformer.benchmark.results.base import Document, FrozenModel

NpuRowKind = Literal["network", "module", "own", "inserted", "transfer", "unknown"]


class NpuRow(FrozenModel):
    """A block of the network, or what stands beside the blocks.

    Attributes:
        path: of the module in the network, "" for the network; for other rows what they are, in
            parentheses.
        parent: path of the row that it is a part of; null for the network.
        depth: how many rows it is below the network, which has 0.
        title: the module in the words of the paper, or the last part of its path.
        kind: "network", everything; "module"; "own", operators of a module that are in none of its
            parts; "inserted", what the compiler added, by its type; "transfer", the input or the
            output; "unknown", events whose names say nothing.
        events: of the profile.
        cycles: mean of the runs.
        share: of all cycles, 0..1.
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
    """The cycles of one profile, which are no latency.

    Attributes:
        model: name of the .onnx file.
        profile: name of the profile.
        runs: of the model in the profile.
        partitions: pieces of the graph that the NPU ran.
        rows: parents before their parts.
        unknown: names of the events of the kind "unknown".
    """

    model: str
    profile: str
    runs: int
    partitions: int
    rows: tuple[NpuRow, ...]
    unknown: tuple[str, ...]
