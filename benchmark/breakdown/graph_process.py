"""The child process of an `IsolatedGraph`: it parses the file and makes truncated models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.artifact.metadata import MappedOperator
from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.breakdown.isolated_graph import describe
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve


class GraphServer:
    """Answers the requests of one `IsolatedGraph`."""

    def __init__(self) -> None:
        self._graph: Graph | None = None

    def answer(self, request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
        """Serve one request; see `child_server.serve`."""
        if self._graph is None:
            mapped = [MappedOperator.model_validate(one, strict=False) for one in request["mapped"]]
            self._graph = _read(Path(request["path"]), mapped)
            return describe(self._graph), []
        data = self._graph.truncated(request["outputs"])
        return {}, [np.frombuffer(data, np.uint8)]


def _read(path: Path, mapped: Sequence[MappedOperator]) -> Graph:
    if path.suffix.lower() == ".tflite":
        from seaformer.benchmark.breakdown.tflite_graph import TFLiteGraph

        return TFLiteGraph(path, mapped)
    from seaformer.benchmark.breakdown.onnx_graph import OnnxGraph

    return OnnxGraph(path, mapped)


if __name__ == "__main__":
    serve(GraphServer().answer)
