"""The operators and tensor types that LiteRT's GPU accelerator supports.

Source: `NewOperationParser` and `GetOpsToReplaceWithOptions` in ml_drift_delegate/tflite/
model_builder.cc, and tflite/tools/versioning/gpu_compatibility.cc of LiteRT at commit f674577.
"""

from collections.abc import Iterable
from types import MappingProxyType

from seaformer.export.lint.tflite_operators import Operator, Tensor

MAX_RANK = 4

COMPARISONS = frozenset(("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"))
LOGICAL = frozenset(("LOGICAL_AND", "LOGICAL_OR", "BITWISE_XOR"))
ELEMENTWISE = COMPARISONS | LOGICAL | frozenset((
    "ADD", "ADD_N", "ATAN2", "DIV", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "MUL", "POW",
    "RIGHT_SHIFT", "SQUARED_DIFFERENCE", "STABLEHLO_REMAINDER", "STABLEHLO_SHIFT_LEFT", "SUB",
))  # fmt: skip
"""Operators that combine two tensors element by element."""

REDUCTIONS = frozenset((
    "MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM",
))  # fmt: skip

KNOWN = ELEMENTWISE | REDUCTIONS | frozenset((
    "ABS", "ARG_MAX", "AVERAGE_POOL_2D", "BATCH_MATMUL", "BITCAST", "CAST", "CEIL",
    "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EXP", "FLOOR",
    "FULLY_CONNECTED", "GATHER", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGICAL_NOT",
    "LOGISTIC", "LSTM", "MAX_POOL_2D", "MIRROR_PAD", "NEG", "ONE_HOT", "PACK", "PAD", "PADV2",
    "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT", "SELECT_V2", "SIGN",
    "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE",
    "STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CBRT", "STABLEHLO_CLAMP", "STRIDED_SLICE", "TANH",
    "TILE", "TOPK_V2", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
))  # fmt: skip
"""Names of builtin operators."""

KNOWN_CUSTOM = frozenset((
    "Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler",
    "custom_call.GroupNorm", "custom_call.LayerNorm", "custom_call.PixelShuffle",
    "custom_call.RmsNorm", "custom_call.absolute_positional_embedding",
    "custom_call.rotary_positional_embedding", "odml.group_norm", "odml.rms_norm",
    "odml.scaled_dot_product_attention",
))  # fmt: skip
"""Names of custom operators and of composites."""

CONTROL_FLOW = frozenset(("CALL", "CALL_ONCE", "IF", "STABLEHLO_CASE", "STABLEHLO_WHILE", "WHILE"))
NAMED = frozenset(("CUSTOM", "STABLEHLO_COMPOSITE"))

_INTEGERS = frozenset(("int8", "int16", "int32"))
_ANY = _INTEGERS | {"uint8", "uint16", "uint32", "bool", "bfloat16"}
_USUAL_INPUTS = frozenset(("float32", "float16", "bool", "int2", "int4", "int8", "uint8"))
_USUAL_OUTPUTS = frozenset(("float32", "float16", "int8", "uint8"))
_LOGICAL = _INTEGERS | {"bool"}

_TAKES_INTEGERS = frozenset((
    "ABS", "ADD", "ATAN2", "COS", "DIV", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "MUL",
    "NEG", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RIGHT_SHIFT", "SIGN", "SIN",
    "STABLEHLO_CLAMP", "STABLEHLO_REMAINDER", "STABLEHLO_SHIFT_LEFT", "SUB", "SUM", "TILE",
))  # fmt: skip
_TAKES_ANY = frozenset((
    "BITCAST", "CAST", "CONCATENATION", "DYNAMIC_UPDATE_SLICE", "GATHER", "PACK", "PAD", "PADV2",
    "RESHAPE", "REVERSE_V2", "SELECT", "SELECT_V2", "SLICE", "STABLEHLO_BROADCAST_IN_DIM",
    "STRIDED_SLICE", "TRANSPOSE",
))  # fmt: skip

_Types = tuple[frozenset[str], frozenset[str]]

_EXCEPTIONS = MappingProxyType(
    {
        "ARG_MAX": (_USUAL_INPUTS - {"bool"} | {"int32"}, frozenset(("int32",))),
        "EMBEDDING_LOOKUP": (_USUAL_INPUTS | {"int32"}, _USUAL_OUTPUTS),
        "LOGICAL_NOT": (_LOGICAL, _LOGICAL),
        "ONE_HOT": (_USUAL_INPUTS | {"int32"}, _USUAL_OUTPUTS),
        "REDUCE_ALL": (frozenset(("bool",)), frozenset(("bool",))),
        "REDUCE_ANY": (frozenset(("bool",)), frozenset(("bool",))),
        "TOPK_V2": (_USUAL_INPUTS, _USUAL_OUTPUTS | {"int32"}),
    }
)


def _types(type: str) -> _Types:
    """Supported types of the non-constant inputs, and of the outputs, of an operator."""
    if type in _EXCEPTIONS:
        return _EXCEPTIONS[type]
    if type in LOGICAL:
        return _LOGICAL, _LOGICAL
    if type in COMPARISONS:
        return _USUAL_INPUTS | _ANY, _USUAL_OUTPUTS | {"bool"}
    if type in _TAKES_ANY:
        return _USUAL_INPUTS | _ANY, _USUAL_OUTPUTS | _ANY
    if type in _TAKES_INTEGERS:
        return _USUAL_INPUTS | _INTEGERS, _USUAL_OUTPUTS | _INTEGERS
    return _USUAL_INPUTS, _USUAL_OUTPUTS


def refused_types(operator: Operator) -> set[str]:
    """Types of an operator's tensors, other than constants, that the accelerator refuses."""
    inputs, outputs = _types(operator.type)
    return _outside(operator.runtime_inputs, inputs) | _outside(operator.outputs, outputs)


def _outside(tensors: Iterable[Tensor], allowed: frozenset[str]) -> set[str]:
    return {tensor.dtype for tensor in tensors if tensor.dtype not in allowed}
