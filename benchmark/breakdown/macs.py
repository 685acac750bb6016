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
Count = Callable[[Sequence[Shape], Shape], int]
"""From the shapes of an operator's inputs, weights included, and that of its first output."""

TAPS = 4
"""Of a bilinear interpolation."""

COUNTS: Mapping[str, Count] = MappingProxyType(
    {
        # Every element of the output sums over the axes of the weights but the output channels:
        # [O, h, w, I], depthwise [1, h, w, C], and in ONNX [O, I by groups, h, w].
        "CONV_2D": lambda inputs, output: prod(output) * prod(inputs[1][1:]),
        "DEPTHWISE_CONV_2D": lambda inputs, output: prod(output) * prod(inputs[1][1:3]),
        "Conv": lambda inputs, output: prod(output) * prod(inputs[1][1:]),
        # Every element of the input meets O x h x w. TFLite has the output's shape, weights
        # [O, h, w, I] and x; ONNX has x and weights [I, O, h, w].
        "TRANSPOSE_CONV": lambda inputs, _: prod(inputs[2]) * prod(inputs[1][:3]),
        "ConvTranspose": lambda inputs, _: prod(inputs[0]) * prod(inputs[1][1:]),
        "FULLY_CONNECTED": lambda inputs, output: prod(output) * inputs[1][-1],  # weights [O, I]
        # Either factor may be transposed; the first has rows x (what is summed over) elements.
        "Gemm": lambda inputs, output: prod(inputs[0]) * output[-1],
        "BATCH_MATMUL": lambda inputs, output: prod(output) * inputs[0][-1],
        "MatMul": lambda inputs, output: prod(output) * inputs[0][-1],
        "RESIZE_BILINEAR": lambda _, output: TAPS * prod(output),
        "Resize": lambda _, output: TAPS * prod(output),
    }
)
"""Operator type -> what counts it; any other type has none."""


def macs(type: str, inputs: Sequence[Shape], output: Shape) -> int:
    """Count those of one operator of a type in the file's own words.

    Shapes are of the inputs, weights included, in the file's order, and of the first output.
    """
    count = COUNTS.get(type)
    return 0 if count is None else int(count(inputs, output))
