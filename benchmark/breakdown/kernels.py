"""The kernels that XNNPACK runs for an operator of a .tflite file, by the names in its profile.

A kernel's name begins with what it computes and goes on with layout, types and the way it does it:
"Convolution (NHWC, F32) IGEMM". Names of LiteRT 2.3 and of TensorFlow Lite since 2.10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Kernels:
    """What an operator type runs as.

    Attributes:
        names: beginnings of the names, any of which can be it.
        least: fewest kernels: 0 where XNNPACK may compute it in a neighbour (a PAD in its
            convolution) or not at all (a weight that it unpacks beforehand).
        per_output: whether there may be one for every output.
        before: what may come before it, any number of times: a factor is converted or transposed.
    """

    names: tuple[str, ...]
    least: int = 1
    per_output: bool = False
    before: tuple[str, ...] = ()


_CONVOLUTION = Kernels(
    ("Convolution", "Fully Connected", "Dynamic Fully Connected"), before=("Convert", "Pack")
)

KERNELS: Mapping[str, Kernels] = MappingProxyType(
    {
        "CONV_2D": _CONVOLUTION,  # of 1 x 1 it is a matrix product
        "DEPTHWISE_CONV_2D": _CONVOLUTION,
        "FULLY_CONNECTED": _CONVOLUTION,
        "TRANSPOSE_CONV": Kernels(("Deconvolution",)),
        "BATCH_MATMUL": Kernels(
            ("Batch Matrix Multiply", "Fully Connected"), before=("Transpose", "Convert", "Pack")
        ),
        "ADD": Kernels(("Add",)),
        "SUB": Kernels(("Subtract",)),
        "MUL": Kernels(("Multiply",)),
        "DIV": Kernels(("Divide",)),
        "MAXIMUM": Kernels(("Maximum",)),
        "MINIMUM": Kernels(("Minimum",)),
        "SQUARED_DIFFERENCE": Kernels(("Squared Difference",)),
        "MEAN": Kernels(("Mean", "Mean Squared", "Global Average Pooling")),
        "SUM": Kernels(("Sum", "Global Sum Pooling")),
        "SOFTMAX": Kernels(("Softmax",)),
        "LOGISTIC": Kernels(("Sigmoid",)),
        "TANH": Kernels(("Tanh",)),
        "GELU": Kernels(("GELU",)),
        "ELU": Kernels(("ELU",)),
        "EXP": Kernels(("Exp",)),
        "SQRT": Kernels(("Square Root",)),
        "RSQRT": Kernels(("Reciprocal Square Root",)),
        # Also a MUL of a tensor by itself. XNNPACK may compute it in the mean behind it.
        "SQUARE": Kernels(("Square", "Multiply"), least=0),
        "ABS": Kernels(("Abs",)),
        "NEG": Kernels(("Negate",)),
        "HARD_SWISH": Kernels(("HardSwish",)),
        "LEAKY_RELU": Kernels(("Leaky ReLU",)),
        "PRELU": Kernels(("PReLU",)),
        "RELU": Kernels(("Clamp",), least=0),
        "RELU6": Kernels(("Clamp",), least=0),
        "RELU_0_TO_1": Kernels(("Clamp",), least=0),
        "RELU_N1_TO_1": Kernels(("Clamp",), least=0),
        "AVERAGE_POOL_2D": Kernels(("Average Pooling",)),
        "MAX_POOL_2D": Kernels(("Max Pooling",)),
        "RESIZE_BILINEAR": Kernels(("Resize Bilinear",)),
        "RESHAPE": Kernels(("Static Reshape", "Copy"), least=0),
        "EXPAND_DIMS": Kernels(("Static Reshape", "Copy", "Static Expand Dims"), least=0),
        "SQUEEZE": Kernels(("Static Reshape", "Copy"), least=0),
        "TRANSPOSE": Kernels(("Transpose",), least=0),
        "SPLIT": Kernels(("Copy", "Slice", "Even Split"), per_output=True),
        "CONCATENATION": Kernels(("Copy", "Concatenate")),
        "SLICE": Kernels(("Slice", "Copy")),
        "STRIDED_SLICE": Kernels(("Slice", "Copy")),
        "PAD": Kernels(("Constant Pad",), least=0),
        "DEPTH_TO_SPACE": Kernels(("Depth To Space",)),
        "SPACE_TO_DEPTH": Kernels(("Space To Depth",)),
        "QUANTIZE": Kernels(("Convert",), least=0),
        "DEQUANTIZE": Kernels(("Convert",), least=0),
        "CAST": Kernels(("Convert",)),
    }
)

ACTIVATION = "Clamp"
"""What an activation that the file has fused into an operator runs as, where the kernel before it
cannot clamp by itself."""


def begins_with(kernel: str, names: tuple[str, ...]) -> bool:
    """Whether a kernel's name is one of these, up to what follows in brackets."""
    return any(kernel == name or kernel.startswith(f"{name} (") for name in names)
