"""Opening an exported file as a graph."""

from pathlib import Path

from seaformer.artifact.metadata import Metadata
from seaformer.benchmark.breakdown.graph import Graph
from seaformer.benchmark.breakdown.isolated_graph import IsolatedGraph
from seaformer.errors import SeaformerError


def open_graph(path: Path, metadata: Metadata | None) -> Graph:
    """Read the operators of a file, in a process of its own.

    Args:
        path: .tflite or .onnx.
        metadata: that stands in it or beside it.

    Raises:
        SeaformerError: it has no map of its operators to modules, or one of another file, or it is
            damaged.
    """
    mapped = () if metadata is None else metadata.operators
    if not mapped:
        raise SeaformerError(
            f"'{path}' does not say which modules its operators belong to, so its time cannot be "
            "broken down. Export the network with seaformer-export."
        )
    return IsolatedGraph(path, mapped)
