"""Multiply-accumulates of an operator, from the shapes in its file.

The convention of the published numbers is used, as in `seaformer.models.catalog.count_macs`:
convolutions, linear layers and matrix products, and one per tap and element of an interpolation.
Published numbers also count two per element for BatchNorm, which exported files do not contain, and
the rewrites of the deployment form are counted as they are computed. The sum for a file therefore
differs from the sum for its network.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import MappingProxyType

Shape = tuple[int, ...]
Count = Callable[[Sequence[Shape], Shape], int]
"""Counts from the shapes of an operator's inputs, including weights, and of its first output."""

TAPS = 4
"""Taps of a bilinear interpolation."""

COUNTS: Mapping[str, Count] = MappingProxyType(
    {
        # Every element of the output is a sum over all axes of the weights except the output
        # channels: [O, h, w, I], depthwise [1, h, w, C], and in ONNX [O, I / groups, h, w].
        "CONV_2D": lambda inputs, output: prod(output) * prod(inputs[1][1:]),
        "DEPTHWISE_CONV_2D": lambda inputs, output: prod(output) * prod(inputs[1][1:3]),
        "Conv": lambda inputs, output: prod(output) * prod(inputs[1][1:]),
        # Every element of the input is multiplied O x h x w times. The inputs are the output's
        # shape, weights [O, h, w, I] and x in TFLite, and x and weights [I, O, h, w] in ONNX.
        "TRANSPOSE_CONV": lambda inputs, _: prod(inputs[2]) * prod(inputs[1][:3]),
        "ConvTranspose": lambda inputs, _: prod(inputs[0]) * prod(inputs[1][1:]),
        "FULLY_CONNECTED": lambda inputs, output: prod(output) * inputs[1][-1],  # weights [O, I]
        # Either factor may be transposed; the first has rows x inner dimension elements.
        "Gemm": lambda inputs, output: prod(inputs[0]) * output[-1],
        "BATCH_MATMUL": lambda inputs, output: prod(output) * inputs[0][-1],
        "MatMul": lambda inputs, output: prod(output) * inputs[0][-1],
        "RESIZE_BILINEAR": lambda _, output: TAPS * prod(output),
        "Resize": lambda _, output: TAPS * prod(output),
    }
)
"""Operator type -> its counting function; other types have no MACs."""


def macs(type: str, inputs: Sequence[Shape], output: Shape) -> int:
    """Count the MACs of one operator of a type, as the file names it.

    The shapes are of the inputs in file order, including weights, and of the first output.
    """
    count = COUNTS.get(type)
    return 0 if count is None else int(count(inputs, output))
