"""Predicates for operators that LiteRT's GPU accelerator computes wrongly, refuses or crashes on.

Each was measured with ai-edge-litert 2.3.0 on SwiftShader, comparing one-operator files with
LiteRT's own CPU kernels; variants that are computed correctly do not match.
"""

from math import prod
from types import MappingProxyType

from seaformer.export.lint.gpu_layout import (
    BATCH,
    Shape,
    as_activation,
    as_constant,
    keeps_place,
    padded,
)
from seaformer.export.lint.gpu_support import (
    CONTROL_FLOW,
    ELEMENTWISE,
    KNOWN,
    KNOWN_CUSTOM,
    MAX_RANK,
    NAMED,
    REDUCTIONS,
    refused_types,
)
from seaformer.export.lint.tflite_operators import Operator, Tensor

MAX_HALF = 65504
"""Largest number of half precision."""

LARGE_ACTIVATION = 6
"""Largest output of a ReLU6; sums of many such values overflow half precision."""

MAX_TEXTURE_SIDE = 8192
"""Default limit of WebGPU."""

_SMALL_MATRIX = 1600  # elements; 1320 were correct with any number of batches, 1600 were not
_REAL = frozenset(("float32", "float16", "bfloat16"))
_QUANTIZED = frozenset(("int4", "int8", "uint8"))
_RUNS_TWICE = frozenset(("ADD", "MUL"))
_PADS = frozenset(("PAD", "PADV2", "MIRROR_PAD"))
_GROUPED = 4  # channels of a group are processed in blocks of four
_TANH, _SIGN_BIT = 4, 5  # of schema.ActivationFunctionType

_PARAMETERS = MappingProxyType(
    {
        "ARG_MAX": (1,),
        "CUMSUM": (1,),
        "MIRROR_PAD": (1,),
        "ONE_HOT": (1, 2, 3),
        "PAD": (1,),
        "PADV2": (1, 2),
        "PRELU": (1,),
        "RESHAPE": (1,),
        "RESIZE_BILINEAR": (1,),
        "RESIZE_NEAREST_NEIGHBOR": (1,),
        "REVERSE_V2": (1,),
        "SLICE": (1, 2),
        "SPLIT": (0,),
        "SPLIT_V": (1, 2),
        "STRIDED_SLICE": (1, 2, 3),
        "TILE": (1,),
        "TOPK_V2": (1,),
        "TRANSPOSE": (1,),
        "TRANSPOSE_CONV": (0,),
    }
    | dict.fromkeys(REDUCTIONS, (1,))
)
"""Inputs that are parameters of the operator and must be constants."""


# ---- Silently wrong ------------------------------------------------------------------------------


def has_misplaced_constant(operator: Operator) -> bool:
    """An element-wise operator whose constant is applied along wrong axes."""
    if operator.type not in ELEMENTWISE or len(operator.inputs) != 2:
        return False
    if len(operator.runtime_inputs) != 1 or len(operator.constants) != 1:
        return False
    runtime, constant = operator.runtime_inputs[0].shape, operator.constants[0]
    rank = max(len(runtime), len(constant.shape))
    if not keeps_place(runtime, rank):
        return True
    if constant.size == 1:
        return False
    if not _is_real(constant):
        return not keeps_place(constant.shape, rank)
    axes = as_constant(constant.shape)
    if axes != as_activation(padded(constant.shape, rank)):
        return True
    return axes[BATCH] not in (1, as_activation(runtime)[BATCH])


def has_unequal_batches(operator: Operator) -> bool:
    """A BATCH_MATMUL that has to broadcast the batches of one operand."""
    if operator.type != "BATCH_MATMUL" or len(operator.given) != 2:
        return False
    left, right = operator.given
    if right.is_constant and len(right.shape) == 2:
        return False  # becomes a FULLY_CONNECTED
    rank = max(len(left.shape), len(right.shape))
    if padded(left.shape, rank)[:-2] == padded(right.shape, rank)[:-2]:
        return False
    return not _repeats_few_rows(operator, left.shape, right.shape)


def _repeats_few_rows(operator: Operator, left: Shape, right: Shape) -> bool:
    """Whether the kernel for few rows is chosen, which broadcasts a transposed right operand."""
    if not operator.options.get("adjY") or prod(right[:-2]) != 1 or len(left) < 2:
        return False
    rows = left[-1] if operator.options.get("adjX") else left[-2]
    return rows <= 8 and right[-2] % 8 == 0


def overflows_texture(operator: Operator) -> bool:
    """A BATCH_MATMUL whose right operand has more rows, over all batches, than a texture."""
    if operator.type != "BATCH_MATMUL" or len(operator.given) != 2:
        return False
    right = operator.given[1].shape
    if len(right) < 3 or right[-1] * right[-2] < _SMALL_MATRIX:
        return False
    rows = right[-1] if operator.options.get("adjY") else right[-2]
    return prod(right[:-2]) * -(-rows // 4) > MAX_TEXTURE_SIDE


def ignores_transposition(operator: Operator) -> bool:
    """A BATCH_MATMUL with a constant matrix in which either operand is transposed."""
    return (
        operator.type == "BATCH_MATMUL"
        and len(operator.given) == 2
        and operator.given[1].is_constant
        and len(operator.given[1].shape) == 2
        and bool(operator.options.get("adjX") or operator.options.get("adjY"))
    )


def overflows_half(operator: Operator) -> bool:
    """A sum or mean over enough elements to possibly overflow half precision."""
    if operator.type not in ("SUM", "MEAN") or not operator.given:
        return False
    summed = operator.given[0]
    if summed.dtype not in _REAL or not operator.outputs:
        return False
    count = summed.size // max(1, operator.outputs[0].size)
    return count * LARGE_ACTIVATION > MAX_HALF


def has_uneven_groups(operator: Operator) -> bool:
    """A non-depthwise grouped convolution whose channels per group are not multiples of four."""
    if operator.type != "CONV_2D" or len(operator.given) < 2:
        return False
    image, weights = (tensor.shape for tensor in operator.given[:2])
    if len(image) != 4 or len(weights) != 4 or weights[3] in (0, image[3]):
        return False
    groups = image[3] // weights[3]
    inside, outside = weights[3], weights[0] // max(1, groups)
    if (inside, outside) == (1, 1):
        return False
    return inside % _GROUPED != 0 or outside % _GROUPED != 0


def copies_channels(operator: Operator) -> bool:
    """A depth-wise 1x1 convolution of several channels with several outputs per channel."""
    if operator.type != "DEPTHWISE_CONV_2D" or len(operator.given) < 2:
        return False
    image, weights = (tensor.shape for tensor in operator.given[:2])
    return len(image) == len(weights) == 4 and prod(weights[:3]) == 1 < image[3] < weights[3]


def rearranges_batches(operator: Operator) -> bool:
    """DEPTH_TO_SPACE or SPACE_TO_DEPTH with more than one batch."""
    return (
        operator.type in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
        and bool(operator.given)
        and as_activation(operator.given[0].shape)[BATCH] > 1
    )


def accumulates_elsewhere(operator: Operator) -> bool:
    """A CUMSUM along a misassigned axis, or one with exclusive or reverse."""
    if operator.type != "CUMSUM" or len(operator.given) != 2 or not operator.given[1].values:
        return False
    if operator.options.get("exclusive") or operator.options.get("reverse"):
        return True
    shape, axis = operator.given[0].shape, operator.given[1].values[0]
    if axis != 0 or not shape:
        return axis < 0
    # The first axis is the batch, but the sum runs over its axis in the alignment at the end.
    return shape[0] == 1 if len(shape) == MAX_RANK else shape[0] > 1


def pads_batches(operator: Operator) -> bool:
    """A padding of rank 3 with several batches, or of a batch axis of one element."""
    if operator.type not in _PADS or len(operator.given) < 2 or not operator.given[1].values:
        return False
    shape, on_batch = operator.given[0].shape, any(operator.given[1].values[:2])
    if len(shape) == MAX_RANK:
        return shape[0] == 1 and on_batch
    return len(shape) == 3 and (shape[0] > 1 or on_batch)


def pads_integers(operator: Operator) -> bool:
    """A padding of unquantized integers or booleans."""
    return operator.type in ("PAD", "PADV2") and any(
        tensor.dtype not in _REAL and not tensor.is_quantized
        for tensor in operator.runtime_inputs[:1]
    )


def chooses_elsewhere(operator: Operator) -> bool:
    """A SELECT whose condition is applied along wrong axes."""
    if operator.type not in ("SELECT", "SELECT_V2") or not operator.given or not operator.outputs:
        return False
    return not keeps_place(operator.given[0].shape, len(operator.outputs[0].shape))


def softens_the_batch(operator: Operator) -> bool:
    """A SOFTMAX of rank 1, whose only axis becomes the batch."""
    return operator.type == "SOFTMAX" and any(
        len(tensor.shape) == 1 and tensor.size > 1 for tensor in operator.given
    )


def spreads_rows(operator: Operator) -> bool:
    """A ONE_HOT of a rank-3 tensor with more than one row."""
    return (
        operator.type == "ONE_HOT"
        and bool(operator.given)
        and len(operator.given[0].shape) == 3
        and operator.given[0].shape[1] > 1
    )


def joins_one(operator: Operator) -> bool:
    """A CONCATENATION of one tensor."""
    return operator.type == "CONCATENATION" and len(operator.inputs) == 1


def fuses_tanh(operator: Operator) -> bool:
    """A fused TANH, which LiteRT's own kernels ignore and the accelerator computes."""
    return operator.options.get("fusedActivationFunction") == _TANH and operator.type != "LSTM"


# ---- Refused -------------------------------------------------------------------------------------


def is_control_flow(operator: Operator) -> bool:
    """A loop, a branch or a call."""
    return operator.type in CONTROL_FLOW


def is_unknown_by_name(operator: Operator) -> bool:
    """A custom operator or a composite that the accelerator does not support."""
    return operator.type in NAMED and operator.custom not in KNOWN_CUSTOM


def broadcasts(operator: Operator) -> bool:
    """A BROADCAST_TO."""
    return operator.type == "BROADCAST_TO"


def clips_to_one(operator: Operator) -> bool:
    """A RELU_0_TO_1."""
    return operator.type == "RELU_0_TO_1"


def moves_axes_of_one(operator: Operator) -> bool:
    """An operator that adds or removes axes of one element."""
    return operator.type in ("EXPAND_DIMS", "SQUEEZE")


def is_unknown(operator: Operator) -> bool:
    """An unsupported builtin operator without a more specific rule."""
    about = (is_control_flow, is_unknown_by_name, broadcasts, clips_to_one, moves_axes_of_one)
    if any(known(operator) for known in about):
        return False
    return operator.type not in KNOWN | NAMED


def has_high_rank(operator: Operator) -> bool:
    """A tensor of more than four axes."""
    tensors = (*operator.given, *operator.outputs)
    return any(len(tensor.shape) > MAX_RANK for tensor in tensors)


def has_unknown_side(operator: Operator) -> bool:
    """A shape that is only known at run time."""
    if any(side < 0 for tensor in (*operator.given, *operator.outputs) for side in tensor.shape):
        return True
    inputs = operator.inputs
    places = [place for place in _PARAMETERS.get(operator.type, ()) if place < len(inputs)]
    return any(not tensor.is_constant for n in places if (tensor := inputs[n]) is not None)


def has_int64(operator: Operator) -> bool:
    """An int64 input or output that is not a constant."""
    tensors = (*operator.runtime_inputs, *operator.outputs)
    return operator.type in KNOWN and any(tensor.dtype == "int64" for tensor in tensors)


def has_refused_type(operator: Operator) -> bool:
    """A tensor of another type that the accelerator does not support for the operator."""
    if operator.type not in KNOWN or multiplies_int16(operator) or has_int64(operator):
        return False
    return bool(refused_types(operator))


def has_constant_on_the_left(operator: Operator) -> bool:
    """A matrix product whose left operand is a constant."""
    return (
        operator.type in ("BATCH_MATMUL", "FULLY_CONNECTED")
        and operator.inputs[:1] != (None,)
        and any(tensor.is_constant for tensor in operator.given[:1])
    )


def has_one_operand_twice(operator: Operator) -> bool:
    """An element-wise operator other than ADD and MUL with the same tensor as both operands."""
    return (
        operator.type in ELEMENTWISE - _RUNS_TWICE
        and len(operator.given) == 2
        and operator.given[0].number == operator.given[1].number
    )


def has_scalar_operand(operator: Operator) -> bool:
    """An element-wise operator with a computed scalar, or a constant boolean."""
    if operator.type not in ELEMENTWISE or len(operator.given) != 2:
        return False
    if any(tensor.dtype == "bool" and tensor.size == 1 for tensor in operator.constants):
        return True
    return len(operator.runtime_inputs) == 2 and any(not one.shape for one in operator.given)


def has_broadcast_branch(operator: Operator) -> bool:
    """A SELECT between tensors, other than scalars, whose shape differs from the result's."""
    if operator.type not in ("SELECT", "SELECT_V2") or not operator.outputs:
        return False
    return any(
        branch.shape not in ((), (1,), operator.outputs[0].shape) for branch in operator.given[1:]
    )


def aligns_corners_and_centers(operator: Operator) -> bool:
    """A RESIZE_BILINEAR with both align_corners and half_pixel_centers."""
    options = operator.options
    return operator.type == "RESIZE_BILINEAR" and bool(
        options.get("alignCorners") and options.get("halfPixelCenters")
    )


def updates_at_a_constant(operator: Operator) -> bool:
    """A DYNAMIC_UPDATE_SLICE whose position is a constant."""
    return operator.type == "DYNAMIC_UPDATE_SLICE" and any(
        tensor.is_constant for tensor in operator.given[2:]
    )


def scales_softmax(operator: Operator) -> bool:
    """A SOFTMAX with a beta other than 1."""
    return operator.type == "SOFTMAX" and operator.options.get("beta") != 1


def has_refused_mask(operator: Operator) -> bool:
    """A STRIDED_SLICE that adds or removes axes, or has a negative stride."""
    if operator.type != "STRIDED_SLICE":
        return False
    masks = ("ellipsisMask", "newAxisMask", "shrinkAxisMask")
    strides = operator.given[3].values if len(operator.given) > 3 else None
    return any(operator.options.get(mask) for mask in masks) or any(
        stride < 0 for stride in strides or ()
    )


def has_refused_slope(operator: Operator) -> bool:
    """A PRELU with a slope that is neither per channel nor per element."""
    if operator.type != "PRELU" or len(operator.given) != 2:
        return False
    axes, slope = as_activation(operator.given[0].shape), operator.given[1].shape
    if slope and prod(slope[:-1]) == 1:
        return slope[-1] != axes[3]
    return len(slope) not in (3, 4) or axes[BATCH] != 1 or padded(slope, 4) != axes


def has_refused_padding(operator: Operator) -> bool:
    """A padding of rank 1 or 2, or a MIRROR_PAD in symmetric mode."""
    if operator.type not in _PADS or not operator.given:
        return False
    return len(operator.given[0].shape) < 3 or operator.options.get("mode", 0) != 0


def gathers_by_a_matrix(operator: Operator) -> bool:
    """A GATHER whose indices are not a vector."""
    return (
        operator.type == "GATHER" and len(operator.given) == 2 and len(operator.given[1].shape) != 1
    )


def encodes_elsewhere(operator: Operator) -> bool:
    """A ONE_HOT along an axis other than the last."""
    return operator.type == "ONE_HOT" and operator.options.get("axis", -1) != -1


def fuses_sign_bit(operator: Operator) -> bool:
    """A fused SIGN_BIT."""
    return operator.options.get("fusedActivationFunction") == _SIGN_BIT and operator.type != "LSTM"


# ---- Crashes the process -------------------------------------------------------------------------


def multiplies_int16(operator: Operator) -> bool:
    """A BATCH_MATMUL in int16, or an element-wise operator in int16 with a constant."""
    is_int16 = any(tensor.dtype == "int16" for tensor in operator.given)
    if operator.type == "BATCH_MATMUL":
        return is_int16
    return operator.type in ELEMENTWISE and is_int16 and bool(operator.constants)


def looks_up_matrices(operator: Operator) -> bool:
    """An EMBEDDING_LOOKUP in a table that is not a matrix."""
    return (
        operator.type == "EMBEDDING_LOOKUP"
        and len(operator.given) == 2
        and len(operator.given[1].shape) != 2
    )


def _is_real(tensor: Tensor) -> bool:
    """Whether the accelerator treats a constant as floating point."""
    return tensor.dtype in _REAL or (tensor.dtype in _QUANTIZED and tensor.is_quantized)
