"""Opening an exported file as a graph.

A child process parses the file and creates the truncated models, because a bad file can crash a
parser or make it hang; that process runs this module too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from seaformer.artifact.metadata import MappedOperator, Metadata
from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.errors import SeaformerError
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_process import ChildProcess
from seaformer.runtimes.child_server import serve

PROGRAM = "the reader of its operators"


def open_graph(path: Path, metadata: Metadata | None) -> Graph:
    """Read the operators of a .tflite or .onnx in a separate process, which ends with the graph.

    Raises:
        SeaformerError: the file is damaged, or its metadata has no mapping of operators to modules
            or one of another file.
    """
    mapped = () if metadata is None else metadata.operators
    if not mapped:
        raise SeaformerError(
            f"'{path}' has no mapping of operators to modules, so there is no breakdown. Export "
            "the network with seaformer-export."
        )
    return _IsolatedGraph(path, mapped)


@dataclass(frozen=True)
class _Contents:
    """Description of a graph by the child process; `nodes` has indices of operators."""

    operators: tuple[Operator, ...]
    input: str
    outputs: tuple[str, ...]
    nodes: dict[str, int]


_CONTENTS = TypeAdapter(_Contents)


class _IsolatedGraph(Graph):
    def __init__(self, path: Path, mapped: Sequence[MappedOperator]) -> None:
        self._child = ChildProcess("seaformer.benchmark.breakdown.graph_files", path, PROGRAM)
        described = [one.model_dump(mode="json") for one in mapped]
        answer, _ = self._child.call("read", {"path": str(path), "mapped": described})
        try:
            contents = _CONTENTS.validate_python(answer)
            self.nodes = {name: contents.operators[n] for name, n in contents.nodes.items()}
        except (ValidationError, IndexError) as error:
            raise SeaformerError(
                f"'{path}' makes {PROGRAM} return malformed data. Export it again."
            ) from error
        self.operators, self.input = contents.operators, contents.input
        self.outputs = contents.outputs

    def truncated(self, outputs: Sequence[str]) -> bytes:
        _, arrays = self._child.call("truncate", {"outputs": list(outputs)})
        return b"".join(array.tobytes() for array in arrays)


class _GraphServer:
    """Serves the requests of one `_IsolatedGraph`: first to read, then to truncate."""

    _graph: Graph | None = None

    def answer(self, request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
        """Serve one request; see `child_server.serve`."""
        if self._graph is not None:
            data = self._graph.truncated(request["outputs"])
            return {}, [np.frombuffer(data, np.uint8)]
        mapped = [MappedOperator.model_validate(one, strict=False) for one in request["mapped"]]
        self._graph = graph = _parse(Path(request["path"]), mapped)
        nodes = {name: operator.index for name, operator in graph.nodes.items()}
        contents = _Contents(graph.operators, graph.input, graph.outputs, nodes)
        return _CONTENTS.dump_python(contents, mode="json"), []


def _parse(path: Path, mapped: Sequence[MappedOperator]) -> Graph:
    if path.suffix.lower() == ".tflite":
        from seaformer.benchmark.breakdown.tflite_graph import TFLiteGraph

        return TFLiteGraph(path, mapped)
    from seaformer.benchmark.breakdown.onnx_graph import OnnxGraph

    return OnnxGraph(path, mapped)


if __name__ == "__main__":
    serve(_GraphServer().answer)
