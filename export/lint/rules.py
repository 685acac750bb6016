"""The lint rules as data: the operators they apply to, the effect, and the remedy.

A rule applies to single operators and gives its source: an issue, or a measurement with versions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from seaformer.artifact.accelerators import GPU
from seaformer.export.lint import gpu_patterns as gpu
from seaformer.export.lint.tflite_operators import Operator

Effect = Literal["wrong", "falls back", "aborts"]

MEASURED = "measured with ai-edge-litert 2.3.0 on SwiftShader"

_ISSUES = "https://github.com/google-ai-edge/LiteRT/issues"
_PARSER = "ml_drift_delegate/tflite/model_builder.cc of LiteRT at f674577"


@dataclass(frozen=True)
class Rule:
    """A known fault or limitation of an accelerator.

    Attributes:
        name: unique, for display and for the JSON.
        accelerators: names of the affected accelerators.
        effect: "wrong": silently computes wrong values; "falls back": is refused, and runs on the
            CPU if that is allowed; "aborts": crashes the process.
        happens: what the accelerator does, one sentence.
        remedy: what to do instead, one sentence.
        source: an issue, a document, or a measurement with versions.
        concerns: whether the rule applies to an operator.
    """

    name: str
    accelerators: tuple[str, ...]
    effect: Effect
    happens: str
    remedy: str
    source: str
    concerns: Callable[[Operator], bool]


_WRONG = (
    Rule(
        "constant-on-batch",
        (GPU,),
        "wrong",
        "The axes of the constant, or of the lower-rank tensor combined with it, are misassigned, "
        "and one slice is used everywhere.",
        "RESHAPE both operands to four axes with a batch of 1, so that only height, width and "
        "channels vary, and RESHAPE the result back.",
        f"{MEASURED}, ranks 1 to 4, both orders; {_PARSER}; LiteRT#9664",
        gpu.has_misplaced_constant,
    ),
    Rule(
        "unequal-batches",
        (GPU,),
        "wrong",
        "The batches of the smaller operand are not broadcast, and wrong batches are multiplied.",
        "Merge the additional batches into the rows of a single product, or repeat the batches of "
        "the smaller operand with CONCATENATION or TILE.",
        f"{MEASURED}, ranks 2 to 4, with and without adj_x and adj_y; a single batch on the right "
        "with adj_y is correct up to 8 rows on the left, if its own rows are a multiple of 8",
        gpu.has_unequal_batches,
    ),
    Rule(
        "many-batches",
        (GPU,),
        "wrong",
        "The right operands of all batches do not fit into one texture, and the result is empty.",
        "Split the product into several with fewer batches each.",
        f"{MEASURED}: batches x rows / 4 above {gpu.MAX_TEXTURE_SIDE}, matrices of 1600 or more "
        "elements",
        gpu.overflows_texture,
    ),
    Rule(
        "matrix-not-transposed",
        (GPU,),
        "wrong",
        "adj_x and adj_y are ignored in a product with a constant matrix.",
        "Store the constant transposed, or use FULLY_CONNECTED.",
        f"{MEASURED}; {_PARSER}; {_ISSUES}/8913",
        gpu.ignores_transposition,
    ),
    Rule(
        "sum-in-half-precision",
        (GPU,),
        "wrong",
        "Phone GPUs add in half precision, whose largest number is 65504: the sum overflows to "
        "infinity, and subsequent values become NaN.",
        "Use AVERAGE_POOL_2D, sum one axis at a time with a MUL by 1/n before each sum, or run "
        "the accelerator in single precision.",
        f"{_ISSUES}/9249; correct in single precision, {MEASURED}. From {gpu.MAX_HALF} / "
        f"{gpu.LARGE_ACTIVATION} elements on, assuming the largest output of ReLU6",
        gpu.overflows_half,
    ),
    Rule(
        "groups-not-of-four",
        (GPU,),
        "wrong",
        "A grouped convolution whose input or output channels per group are not multiples of four "
        "reads wrong channels, or crashes the process.",
        "Pad the groups to multiples of four channels, or use one convolution for each group.",
        MEASURED,
        gpu.has_uneven_groups,
    ),
    Rule(
        "scaled-copies",
        (GPU,),
        "wrong",
        "A depth-wise 1x1 convolution of several channels with several outputs per channel reads "
        "wrong channels.",
        "Pad its kernel to 3x3 with zeros.",
        f"{MEASURED}, 2 to 4 outputs of 4 to 8 channels; correct with a single channel, and with "
        "kernels from 1x3 on",
        gpu.copies_channels,
    ),
    Rule(
        "batches-of-blocks",
        (GPU,),
        "wrong",
        "All batches except the first are empty.",
        "Use a batch of 1, or RESHAPE and TRANSPOSE.",
        MEASURED,
        gpu.rearranges_batches,
    ),
    Rule(
        "cumulative-sum",
        (GPU,),
        "wrong",
        "The sum runs along a wrong axis; exclusive and reverse are ignored.",
        "Use neither exclusive nor reverse, and sum along an axis other than the first; or "
        "multiply by a triangular matrix.",
        f"{MEASURED}; {_PARSER}",
        gpu.accumulates_elsewhere,
    ),
    Rule(
        "padded-batches",
        (GPU,),
        "wrong",
        "The batch is padded, or the added batches are uninitialized.",
        "Use rank 4, and pad only height, width and channels.",
        f"{MEASURED}; {_PARSER}",
        gpu.pads_batches,
    ),
    Rule(
        "padded-integers",
        (GPU,),
        "wrong",
        "PAD of integers or booleans gives zeros everywhere, and PADV2 crashes the process.",
        "CAST to float32 before it, and back after it.",
        MEASURED,
        gpu.pads_integers,
    ),
    Rule(
        "condition-of-lower-rank",
        (GPU,),
        "wrong",
        "The axes of the condition are misassigned, or the operator is refused.",
        "RESHAPE the condition to the rank of the result.",
        MEASURED,
        gpu.chooses_elsewhere,
    ),
    Rule(
        "softmax-of-a-vector",
        (GPU,),
        "wrong",
        "The softmax runs over the channels, but the only axis of a vector is the batch.",
        "RESHAPE to [1, n].",
        MEASURED,
        gpu.softens_the_batch,
    ),
    Rule(
        "one-hot-of-rows",
        (GPU,),
        "wrong",
        "All rows except the first are wrong.",
        "RESHAPE the indices to a vector before it.",
        MEASURED,
        gpu.spreads_rows,
    ),
    Rule(
        "concatenation-of-one",
        (GPU,),
        "wrong",
        "The result is empty.",
        "Remove the operator.",
        MEASURED,
        gpu.joins_one,
    ),
    Rule(
        "fused-tanh",
        (GPU,),
        "wrong",
        "The accelerator computes the fused TANH, but LiteRT's own kernels ignore it.",
        "Use a separate TANH operator.",
        f"{MEASURED}, ADD and CONV_2D",
        gpu.fuses_tanh,
    ),
)

_REFUSED = (
    Rule(
        "int64",
        (GPU,),
        "falls back",
        "Operators with int64 inputs or outputs that are not constants are refused.",
        "Use int32; ARG_MAX can output it directly.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_int64,
    ),
    Rule(
        "type-of-tensor",
        (GPU,),
        "falls back",
        "The operator is refused with tensors of this type.",
        "CAST or DEQUANTIZE to float32 before it.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_refused_type,
    ),
    Rule(
        "rank-above-four",
        (GPU,),
        "falls back",
        "Tensors with more than four axes are refused.",
        "Merge axes with RESHAPE or in the network.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_high_rank,
    ),
    Rule(
        "broadcast-to",
        (GPU,),
        "falls back",
        "BROADCAST_TO is refused.",
        "Rely on the broadcasting of the next operator, or use TILE or CONCATENATION.",
        f"{_ISSUES}/9191; {MEASURED}",
        gpu.broadcasts,
    ),
    Rule(
        "relu-0-to-1",
        (GPU,),
        "falls back",
        "RELU_0_TO_1 is refused.",
        "Use MAXIMUM with 0 and MINIMUM with 1.",
        MEASURED,
        gpu.clips_to_one,
    ),
    Rule(
        "axes-of-one",
        (GPU,),
        "falls back",
        "EXPAND_DIMS and SQUEEZE are refused.",
        "Use RESHAPE.",
        MEASURED,
        gpu.moves_axes_of_one,
    ),
    Rule(
        "control-flow",
        (GPU,),
        "falls back",
        "Loops, branches and calls are refused.",
        "Unroll the loop, or compute both branches.",
        _PARSER,
        gpu.is_control_flow,
    ),
    Rule(
        "custom-operator",
        (GPU,),
        "falls back",
        "The accelerator does not support this custom operator or composite.",
        "Convert the network with builtin operators only.",
        _PARSER,
        gpu.is_unknown_by_name,
    ),
    Rule(
        "unknown-operator",
        (GPU,),
        "falls back",
        "The accelerator does not support this operator.",
        "Replace it with supported operators.",
        f"{MEASURED}; {_PARSER}",
        gpu.is_unknown,
    ),
    Rule(
        "shape-at-run-time",
        (GPU,),
        "falls back",
        "A shape, or a parameter that determines it, is only known at run time.",
        "Export with fixed shapes and with constant axes, sizes and paddings.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_unknown_side,
    ),
    Rule(
        "constant-on-the-left",
        (GPU,),
        "falls back",
        "A product whose left operand is a constant is refused.",
        "Multiply the transposed matrices in the other order.",
        f"{MEASURED}; https://github.com/tensorflow/tensorflow/issues/66727",
        gpu.has_constant_on_the_left,
    ),
    Rule(
        "operand-twice",
        (GPU,),
        "falls back",
        "An element-wise operator on a tensor and itself is refused, except ADD and MUL.",
        "Simplify it: SUB is 0, DIV is 1, MAXIMUM and MINIMUM are the tensor itself.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_one_operand_twice,
    ),
    Rule(
        "scalar-operand",
        (GPU,),
        "falls back",
        "A computed scalar operand, or a constant boolean, is refused.",
        "RESHAPE the operand to [1].",
        MEASURED,
        gpu.has_scalar_operand,
    ),
    Rule(
        "branch-of-another-shape",
        (GPU,),
        "falls back",
        "SELECT is refused if it has to broadcast its branches.",
        "Give both branches the shape of the result.",
        "tflite/tools/versioning/gpu_compatibility.cc of LiteRT at f674577",
        gpu.has_broadcast_branch,
    ),
    Rule(
        "corners-and-centers",
        (GPU,),
        "falls back",
        "RESIZE_BILINEAR with both align_corners and half_pixel_centers is refused, also on the "
        "CPU.",
        "Use only one of them; each is correct alone.",
        f"{MEASURED}, 16 pairs of sizes",
        gpu.aligns_corners_and_centers,
    ),
    Rule(
        "softmax-beta",
        (GPU,),
        "falls back",
        "SOFTMAX with a beta other than 1 is refused.",
        "Use a MUL before it.",
        MEASURED,
        gpu.scales_softmax,
    ),
    Rule(
        "strided-slice",
        (GPU,),
        "falls back",
        "STRIDED_SLICE that adds or removes axes, or has a negative stride, is refused.",
        "Slice without masks and RESHAPE; for negative strides use REVERSE_V2.",
        MEASURED,
        gpu.has_refused_mask,
    ),
    Rule(
        "prelu-slope",
        (GPU,),
        "falls back",
        "PRELU is refused unless it has one slope per channel or per element.",
        "Repeat the slope for all channels.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_refused_slope,
    ),
    Rule(
        "padding-of-low-rank",
        (GPU,),
        "falls back",
        "Paddings of rank 1 and 2, and MIRROR_PAD in symmetric mode, are refused.",
        "RESHAPE to rank 4, and use the reflect mode.",
        MEASURED,
        gpu.has_refused_padding,
    ),
    Rule(
        "indices-of-a-matrix",
        (GPU,),
        "falls back",
        "GATHER is refused unless its indices are a vector.",
        "RESHAPE the indices to a vector, and the result back.",
        MEASURED,
        gpu.gathers_by_a_matrix,
    ),
    Rule(
        "one-hot-axis",
        (GPU,),
        "falls back",
        "ONE_HOT along an axis other than the last is refused.",
        "Use the last axis, and TRANSPOSE.",
        MEASURED,
        gpu.encodes_elsewhere,
    ),
    Rule(
        "update-at-a-constant",
        (GPU,),
        "falls back",
        "DYNAMIC_UPDATE_SLICE is refused if its position is a constant.",
        "Use SLICE and CONCATENATION.",
        MEASURED,
        gpu.updates_at_a_constant,
    ),
    Rule(
        "fused-sign-bit",
        (GPU,),
        "falls back",
        "A fused SIGN_BIT is refused.",
        "Use a separate operator.",
        MEASURED,
        gpu.fuses_sign_bit,
    ),
)

_FATAL = (
    Rule(
        "int16",
        (GPU,),
        "aborts",
        "BATCH_MATMUL in int16, and element-wise int16 operators with a constant, crash the "
        "process.",
        "Quantize to int8, or keep these operators in floating point.",
        MEASURED,
        gpu.multiplies_int16,
    ),
    Rule(
        "embedding-of-high-rank",
        (GPU,),
        "aborts",
        "EMBEDDING_LOOKUP in a table that is not a matrix crashes the process.",
        "RESHAPE the table to a matrix, and the result back.",
        MEASURED,
        gpu.looks_up_matrices,
    ),
)

RULES: tuple[Rule, ...] = (*_WRONG, *_REFUSED, *_FATAL)
"""All rules, in the order in which they are reported for one operator."""
