"""The XNNPACK kernels for each operator type of a .tflite file, by their names in a profile.

A kernel's name starts with its operation, followed by layout, types and algorithm: "Convolution
(NHWC, F32) IGEMM". LiteRT 2.3 and TensorFlow Lite since 2.10 use these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Kernels:
    """The kernels of an operator type.

    Attributes:
        names: prefixes of the possible names.
        least: minimum number of kernels: 0 if XNNPACK may fuse it with a neighbor (a PAD with its
            convolution) or not run it at all (a weight that it unpacks beforehand).
        per_output: whether there may be one kernel per output.
        before: names of kernels that may precede it, any number of times, such as conversions.
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
        "CONV_2D": _CONVOLUTION,  # a 1 x 1 convolution is a matrix product
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
        # Also a MUL of a tensor by itself. XNNPACK may fuse it with the mean after it.
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
"""Kernel of an activation that the file fuses into an operator, if the operator's kernel cannot
clamp."""


def begins_with(kernel: str, names: tuple[str, ...]) -> bool:
    """Whether a kernel's name, without its part in parentheses, is one of these."""
    return any(kernel == name or kernel.startswith(f"{name} (") for name in names)
