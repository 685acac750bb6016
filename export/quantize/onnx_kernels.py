"""The nodes of an ONNX graph for which ONNX Runtime has integer kernels on a CPU."""

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from seaformer.quantization.saturation import finest_steps, unsaturated_steps

WEIGHTED_TYPES = ("Conv", "Gemm", "MatMul")
"""Operators with integer kernels if their weights are constants."""

FOLLOWING_TYPES = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Flatten",
    "GlobalAveragePool",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Quantized only if all their inputs are: between floating-point operators they would add
conversions and save nothing. This keeps the attention core in floating point."""

PASSING_TYPES = ("Resize", "Sub")
"""Operators without integer kernels whose consumers may still be quantized."""

DYNAMIC_TYPES = ("Conv", "MatMul")
"""Operators with a kernel that chooses the range of its input in every run."""


def without_integer_kernel(graph: onnx.ModelProto) -> frozenset[int]:
    """Indices of the nodes without an integer kernel, or for which it would gain nothing."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    weights = weight_steps(graph)
    off_zero = clips_off_zero(graph)
    integer = {tensor.name for tensor in graph.graph.input}
    found: set[int] = set()
    for index, node in enumerate(graph.graph.node):
        follows = all(name in integer for name in node.input if name and name not in stored)
        is_integer = follows and node.op_type in FOLLOWING_TYPES
        if node.op_type in WEIGHTED_TYPES:
            is_integer = node.input[1] in weights
        elif is_integer and node.op_type == "Clip":
            is_integer = index not in off_zero
        if is_integer or (follows and node.op_type in PASSING_TYPES):
            integer.update(node.output)
        if not is_integer:
            found.add(index)
    return frozenset(found)


def clips_off_zero(graph: onnx.ModelProto) -> frozenset[int]:
    """Indices of the Clip nodes whose range excludes zero: integer ranges always include it."""
    stored = {tensor.name: tensor for tensor in graph.graph.initializer}

    def bound(name: str) -> float:
        return float(numpy_helper.to_array(stored[name])) if name in stored else 0.0

    return frozenset(
        index
        for index, node in enumerate(graph.graph.node)
        if node.op_type == "Clip"
        and not (bound("".join(node.input[1:2])) <= 0.0 <= bound("".join(node.input[2:3])))
    )


def weight_steps(
    graph: onnx.ModelProto, activation_bits: int = 8
) -> dict[str, tuple[int, npt.NDArray[np.float32]]]:
    """Name of each constant weight -> its output-channel axis, and the scale of each channel.

    Kernels for 16-bit activations never saturate.
    """
    steps_of = unsaturated_steps if activation_bits == 8 else finest_steps
    stored = {tensor.name: tensor for tensor in graph.graph.initializer}
    found: dict[str, tuple[int, npt.NDArray[np.float32]]] = {}
    for node in graph.graph.node:
        if node.op_type not in WEIGHTED_TYPES or node.input[1] not in stored:
            continue
        values = numpy_helper.to_array(stored[node.input[1]])
        is_transposed = any(a.name == "transB" and a.i for a in node.attribute)
        if node.op_type == "Conv":
            found[node.input[1]] = (0, steps_of(np.moveaxis(values, 1, -1)))
        elif is_transposed:
            found[node.input[1]] = (0, steps_of(values))
        elif values.ndim == 2:
            found[node.input[1]] = (1, steps_of(values.T))
    return found
