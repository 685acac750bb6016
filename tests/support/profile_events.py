"""Sequential graphs and profiler events for tests."""

from collections.abc import Sequence

from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.benchmark.runner.record import ProfileEvent


class Chain(Graph):
    """A sequence of operators; each reads the output of the previous one."""

    def __init__(self, types: Sequence[str], activations: Sequence[bool] | None = None) -> None:
        activated = activations or [False] * len(types)
        self.input, self.outputs = "t0", (f"t{len(types)}",)
        self.operators = tuple(
            Operator(i, kind, f"n{i}", "", (f"t{i}",), (f"t{i + 1}",), 0, has)
            for i, (kind, has) in enumerate(zip(types, activated, strict=True))
        )

    def truncated(self, outputs: Sequence[str]) -> bytes:
        raise NotImplementedError


def event(place: int, tag: str, kind: str = "delegate", **more: object) -> ProfileEvent:
    values = {"start_us": 0, "elapsed_us": 1, "node": place, "subgraph": 0, "op": None} | more
    return ProfileEvent("m0", 0, place, tag, kind, **values)  # type: ignore[arg-type]
