"""Simplifying a traced graph with onnxslim, and checking that its outputs are unchanged.

onnxslim folds constants and fuses operators. One of its patterns treats any constant with as many
values as a convolution has channels as a scale of the channels, even if it is a column or a row of
the map. Both graphs are run on noise; if they differ, operators are not fused.
"""

import numpy as np
import onnx
import onnxslim

from seaformer.runtimes import open_content

TRIES: tuple[list[str], ...] = ([], ["graph_fusion"])
"""Optimizations for onnxslim to skip, in the order of the attempts."""

LARGEST_DIFFERENCE = 1e-2
"""RMS of the difference relative to the RMS of the output: float32 rounding is far below, a wrong
graph far above."""


def simplified(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Simplify a graph of one input and one output.

    If every attempt changes the outputs, the last is returned, and the verification against
    PyTorch decides.
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
    """Whether two outputs match; outputs that are not finite always do."""
    error, signal = np.square(output - expected).mean(), np.square(expected).mean()
    return not error > LARGEST_DIFFERENCE**2 * signal
