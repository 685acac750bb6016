"""Simplifying a traced graph with onnxslim, and checking that it is still the same function.

onnxslim folds constants, and joins operators. One of its patterns takes any constant with as many
values as a convolution has channels for a scale of the channels, also one that is a column or a row
of the map. Both graphs are run on noise; where they differ, operators are not joined.
"""

import numpy as np
import onnx
import onnxslim

from seaformer.runtimes import open_content

TRIES: tuple[list[str], ...] = ([], ["graph_fusion"])
"""What onnxslim is asked to leave out, one try after the other."""

LARGEST_DIFFERENCE = 1e-2
"""RMS of the difference by that of the output: rounding of float32 is far below, another function
far above."""


def simplified(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Simplify a graph of one input and one output; the last try is what remains if none is right.

    Whether that computes what PyTorch does, the verification finds out.
    """
    shape = [axis.dim_value for axis in graph.graph.input[0].type.tensor_type.shape.dim]
    noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    expected = _run(graph, noise)
    for left_out in TRIES:
        given = onnx.ModelProto()
        given.CopyFrom(graph)
        slim = onnxslim.slim(given, skip_optimizations=left_out)
        if _is_same(_run(slim, noise), expected):
            break
    return slim


def _run(graph: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    with open_content(graph.SerializeToString(), ".onnx") as session:
        return np.asarray(session.run([x])[0], dtype=np.float64)


def _is_same(output: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two outputs are of one function; what is not finite says nothing."""
    error, signal = np.square(output - expected).mean(), np.square(expected).mean()
    return not error > LARGEST_DIFFERENCE**2 * signal
