"""A graph that a child process parses, as a bad file can crash a parser or make it hang."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seaformer.artifact.metadata import MappedOperator
from seaformer.benchmark.breakdown.graph import Graph, Operator
from seaformer.errors import SeaformerError
from seaformer.runtimes.child_process import ChildProcess

PROGRAM = "the reader of its operators"


class IsolatedGraph(Graph):
    """A graph whose file is parsed and truncated in a child process, which ends with the graph."""

    def __init__(self, path: Path, mapped: Sequence[MappedOperator]) -> None:
        self._child = ChildProcess("seaformer.benchmark.breakdown.graph_process", path, PROGRAM)
        described = [one.model_dump(mode="json") for one in mapped]
        answer, _ = self._child.call("read", {"path": str(path), "mapped": described})
        try:
            self.operators = tuple(_operator(one) for one in answer["operators"])
            self.input = str(answer["input"])
            self.outputs = tuple(str(name) for name in answer["outputs"])
            self.nodes = {str(name): self.operators[n] for name, n in answer["nodes"].items()}
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise SeaformerError(
                f"'{path}' makes {PROGRAM} return malformed data. Export it again."
            ) from error

    def truncated(self, outputs: Sequence[str]) -> bytes:
        """Return a truncated model that computes these tensors from the same input."""
        _, arrays = self._child.call("truncate", {"outputs": list(outputs)})
        return b"".join(array.tobytes() for array in arrays)


def describe(graph: Graph) -> dict[str, Any]:
    """Describe a graph for the parent process."""
    return {
        "operators": [asdict(operator) for operator in graph.operators],
        "input": graph.input,
        "outputs": graph.outputs,
        "nodes": {name: operator.index for name, operator in graph.nodes.items()},
    }


def _operator(stored: Mapping[str, Any]) -> Operator:
    return Operator(
        index=int(stored["index"]),
        type=str(stored["type"]),
        name=str(stored["name"]),
        module=str(stored["module"]),
        inputs=tuple(str(name) for name in stored["inputs"]),
        outputs=tuple(str(name) for name in stored["outputs"]),
        macs=int(stored["macs"]),
        has_activation=bool(stored["has_activation"]),
    )
