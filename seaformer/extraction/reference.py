"""Reference tensors of a file, computed on the host's CPU, and comparison with them.

They are computed by LiteRT's own CPU kernels without delegates, or by ONNX Runtime without
optimizations.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from seaformer.extraction.differences import Difference, Tolerance, compare
from seaformer.extraction.graph_description import GraphDescription
from seaformer.runtimes.session import Array, Session

Tensors = Mapping[int, Array]
"""Tensor of the file -> its stored values."""


def reference_tensors(
    graph: GraphDescription, session: Session, inputs: Sequence[Array], wanted: Sequence[int]
) -> Tensors:
    """Compute tensors of a file from its inputs; the result includes the inputs."""
    found: dict[int, Array] = dict(zip(graph.inputs, inputs, strict=True))
    keys = sorted(set(wanted) - found.keys())
    if keys:
        fetched = session.fetch(list(map(graph.key, keys)), inputs)
        for key, values in zip(keys, fetched, strict=True):
            found[key] = graph.tensors[key].stored(values)
    return found


def compare_with_reference(
    graph: GraphDescription, reference: Tensors, tensor: int, found: Array, tolerance: Tolerance
) -> Difference:
    """Compare the values of a tensor with the reference."""
    producer = graph.producers.get(tensor)
    sources = [reference[one] for one in producer.inputs if one in reference] if producer else []
    scale = max((_largest(one) for one in sources), default=1.0)
    return compare(graph.tensors[tensor], reference[tensor], found, scale, tolerance)


def _largest(values: Array) -> float:
    real = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return float(np.abs(real.astype(np.float64)).max(initial=0.0))
