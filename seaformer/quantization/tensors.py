"""The table of the tensors of a SeaFormer that exported files round to eight bits.

`fake_quantization` rounds them in training, and the export gives the learned ranges to the same
tensors of its files. In both, tensors are those of the deployment form of the network: BatchNorm is
folded, and query, key and value are one tensor (see `seaformer.export.rewrite`).

The attention between the squeezed tokens and its output stays in floating point. A mean of tokens
and its sum with the positions are rounded in .tflite only: ONNX Runtime has no integer kernel for
the mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from seaformer.models.seaformer.attention import (
    SqueezeAxialAttention,
    SqueezeEnhancedAxialAttention,
)
from seaformer.models.seaformer.convolution import InvertedResidual
from seaformer.models.seaformer.layer import FeedForward, SeaFormerLayer
from seaformer.models.seaformer.light_head import LightHead
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.models.seaformer.stem import Stem

_IN_TFLITE = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "ADD",
    "SUB",
    "MUL",
    "MEAN",
    "BATCH_MATMUL",
    "SOFTMAX",
)
_IN_ONNX = ("Conv", "Add", "Sub", "Mul", "ReduceMean", "MatMul", "Softmax")

COMPUTING = frozenset((*_IN_TFLITE, *_IN_ONNX))
"""Types of operators whose result has a range of its own, in both formats. All others, such as
activations, slices and interpolation, pass on the range of their input."""

SEPARATOR = "/"
"""Between the path of a module and the name of its tensor."""


@dataclass(frozen=True)
class IntegerTensor:
    """A tensor that exported files round to eight bits, after its activation function if any.

    Attributes:
        name: name of the tensor within the module of the training form.
        module: path of the module that computes the tensor in the deployment form, relative to the
            module of the training form.
        position: its index among the results of that module's operators in `COMPUTING`; -1 for the
            last one.
        formats: names of the formats whose files round it.
        condition: attribute of the module that is false or None if there is no such tensor; "" if
            there always is.
    """

    name: str
    module: str = ""
    position: int = 0
    formats: tuple[str, ...] = ("onnx", "tflite")
    condition: str = ""


TENSORS: Mapping[type[nn.Module], tuple[IntegerTensor, ...]] = {
    Stem: (IntegerTensor("centered", "normalize"), IntegerTensor("conv", "conv")),
    InvertedResidual: (
        IntegerTensor("expand", "expand", condition="expand"),
        IntegerTensor("depthwise", "depthwise"),
        IntegerTensor("reduce", "reduce"),
        IntegerTensor("sum", condition="has_residual"),
    ),
    SqueezeEnhancedAxialAttention: (
        IntegerTensor("qkv", "qkv"),
        IntegerTensor("axes", position=0),
        IntegerTensor("axial", position=1),
        IntegerTensor("projection", "projection"),
        IntegerTensor("depthwise", "detail.depthwise"),
        IntegerTensor("pointwise", "detail.pointwise"),
        IntegerTensor("product", position=2),
    ),
    SqueezeAxialAttention: (
        IntegerTensor("mean", "squeeze", position=0, formats=("tflite",)),
        IntegerTensor("tokens", "squeeze", position=1, formats=("tflite",)),
        IntegerTensor("attended", position=-1),
        IntegerTensor("projection", "projection"),
    ),
    FeedForward: (
        IntegerTensor("expand", "expand"),
        IntegerTensor("depthwise", "depthwise"),
        IntegerTensor("reduce", "reduce"),
    ),
    SeaFormerLayer: (IntegerTensor("attended", position=0), IntegerTensor("sum", position=1)),
    FusionBlock: (
        IntegerTensor("local", "local_embedding"),
        IntegerTensor("gate", "context_embedding"),
        IntegerTensor("product"),
    ),
    LightHead: (IntegerTensor("biased", "fuse"), IntegerTensor("logits", "classifier")),
}
"""Class of a module in the training form -> its tensors."""


def tensors_of(module: nn.Module) -> tuple[IntegerTensor, ...]:
    """Return the tensors of a module, without those of its submodules."""
    rows = next((TENSORS[kind] for kind in type(module).__mro__ if kind in TENSORS), ())
    return tuple(row for row in rows if not row.condition or getattr(module, row.condition))


def integer_tensors(model: nn.Module) -> dict[str, tuple[str, IntegerTensor]]:
    """Name of each tensor -> path of its module in the training form, and its row.

    A name is a path and the name in the row, such as "light_head/logits".
    """
    return {
        f"{path}{SEPARATOR}{row.name}": (path, row)
        for path, module in model.named_modules()
        for row in tensors_of(module)
    }
