"""Multiply-accumulates of an operator, from the shapes in its file.

By the convention of the published numbers, as `seaformer.models.catalog.count_macs`: those of
convolutions, linear layers and matrix products, and one per tap and element of an interpolation. A
file has no BatchNorm left, which the published numbers count with two per element, and what the
deployment form rewrote is counted as it is computed: so the sum of a file differs from the number
of its network.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import MappingProxyType

Shape = tuple[int, ...]
Shapes = Sequence[Shape]
Count = Callable[[Shapes, Shape], int]
"""From the shapes of an operator's inputs, weights included, and that of its first output."""

TAPS = 4
"""Of a bilinear interpolation."""


def _times_weights(axes: slice) -> Count:
    """Every output element sums over these axes of the weights, which are the second input."""
    return lambda inputs, output: prod(output) * prod(inputs[1][axes])


def _product(inputs: Shapes, output: Shape) -> int:
    return prod(output) * inputs[0][-1]


def _linear(inputs: Shapes, output: Shape) -> int:
    return prod(output) * inputs[1][-1]


def _gemm(inputs: Shapes, output: Shape) -> int:
    # Either factor may be stored transposed; the first has rows x (what is summed over) elements.
    return prod(inputs[0]) * output[-1]


def _adjoint_tflite(inputs: Shapes, _: Shape) -> int:
    # Inputs: shape of the output, weights [O, h, w, I], x. Every element of x meets O x h x w.
    return prod(inputs[2]) * prod(inputs[1][:3])


def _adjoint_onnx(inputs: Shapes, _: Shape) -> int:
    # Inputs: x, weights [I, O, h, w].
    return prod(inputs[0]) * prod(inputs[1][1:])


def _interpolation(_: Shapes, output: Shape) -> int:
    return TAPS * prod(output)


COUNTS: Mapping[str, Count] = MappingProxyType(
    {
        "CONV_2D": _times_weights(slice(1, None)),  # weights [O, h, w, I]
        "DEPTHWISE_CONV_2D": _times_weights(slice(1, 3)),  # weights [1, h, w, C]
        "TRANSPOSE_CONV": _adjoint_tflite,
        "FULLY_CONNECTED": _linear,  # weights [O, I]
        "BATCH_MATMUL": _product,
        "RESIZE_BILINEAR": _interpolation,
        "Conv": _times_weights(slice(1, None)),  # weights [O, I by groups, h, w]
        "ConvTranspose": _adjoint_onnx,
        "Gemm": _gemm,
        "MatMul": _product,
        "Resize": _interpolation,
    }
)
"""Operator type -> what counts it; any other type has none."""


def macs(type: str, inputs: Shapes, output: Shape) -> int:
    """Count those of one operator.

    Args:
        type: in the file's own words.
        inputs: shapes in the file's order, weights included.
        output: shape of the first output.
    """
    count = COUNTS.get(type)
    return 0 if count is None else int(count(inputs, output))
