"""The rules of lint, as data: what each is about, what happens, and what to do instead.

A rule is about one operator. It is added with its source: an issue, or a measurement with versions.
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
    """Something that is known of an accelerator.

    Attributes:
        name: unique, for people and for the JSON.
        accelerators: those it is true of.
        effect: "wrong": computes something else without a word; "falls back": is refused, and runs
            on the CPU where that is allowed; "aborts": ends the process.
        happens: what the accelerator does, one sentence.
        remedy: what to do instead, one sentence.
        source: an issue, a document, or a measurement with versions.
        concerns: whether an operator is one of these.
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
        "The axes of the constant, or of the tensor of lower rank beside it, are taken for others, "
        "and one slice is used for all.",
        "Give both operands four axes, RESHAPE before and after, with the batch 1 and what varies "
        "on height, width or channels.",
        f"{MEASURED}, ranks 1 to 4, both orders; {_PARSER}; LiteRT#9664",
        gpu.has_misplaced_constant,
    ),
    Rule(
        "unequal-batches",
        (GPU,),
        "wrong",
        "The batches of the smaller side are not repeated, and wrong ones are multiplied.",
        "Put what has more batches on the rows of one product, or repeat the other side's batches "
        "by CONCATENATION or TILE.",
        f"{MEASURED}, ranks 2 to 4, with and without adj_x and adj_y; one batch on the right with "
        "adj_y is right up to 8 rows, if its own are a multiple of 8",
        gpu.has_unequal_batches,
    ),
    Rule(
        "many-batches",
        (GPU,),
        "wrong",
        "The right sides of all batches do not fit into one texture, and the result stays empty.",
        "Split the product into several with fewer batches each.",
        f"{MEASURED}: batches x rows / 4 above {gpu.MAX_TEXTURE_SIDE}, matrices of 1600 elements "
        "and more",
        gpu.overflows_texture,
    ),
    Rule(
        "matrix-not-transposed",
        (GPU,),
        "wrong",
        "adj_x and adj_y are left out of a product with a constant matrix.",
        "Store the constant transposed, or use FULLY_CONNECTED.",
        f"{MEASURED}; {_PARSER}; {_ISSUES}/8913",
        gpu.ignores_transposition,
    ),
    Rule(
        "sum-in-half-precision",
        (GPU,),
        "wrong",
        "GPUs of phones add in half precision, whose largest number is 65504: the sum becomes "
        "infinity, and what follows NaN.",
        "Use AVERAGE_POOL_2D, sum one axis after the other with a MUL by 1/n before each, or run "
        "the accelerator in single precision.",
        f"{_ISSUES}/9249; right in single precision, {MEASURED}. From {gpu.MAX_HALF} / "
        f"{gpu.LARGE_ACTIVATION} elements on, as large as ReLU6 lets them be",
        gpu.overflows_half,
    ),
    Rule(
        "groups-not-of-four",
        (GPU,),
        "wrong",
        "A grouped convolution whose groups do not have whole fours of input and output channels "
        "reads the wrong ones, or ends the process.",
        "Pad the groups to multiples of four channels, or use one convolution for each group.",
        MEASURED,
        gpu.has_uneven_groups,
    ),
    Rule(
        "batches-of-blocks",
        (GPU,),
        "wrong",
        "Batches after the first one stay empty.",
        "Use a batch of 1, or RESHAPE and TRANSPOSE.",
        MEASURED,
        gpu.rearranges_batches,
    ),
    Rule(
        "cumulative-sum",
        (GPU,),
        "wrong",
        "The sum goes along another axis; exclusive and reverse are left out.",
        "Sum along an axis that is not the first one, forwards and inclusive, or multiply by a "
        "triangular matrix.",
        f"{MEASURED}; {_PARSER}",
        gpu.accumulates_elsewhere,
    ),
    Rule(
        "padded-batches",
        (GPU,),
        "wrong",
        "The batch is padded, or what is added to it stays as it was.",
        "Use rank 4 and pad height, width and channels only.",
        f"{MEASURED}; {_PARSER}",
        gpu.pads_batches,
    ),
    Rule(
        "padded-integers",
        (GPU,),
        "wrong",
        "PAD of integers or booleans gives zeros everywhere, and PADV2 ends the process.",
        "CAST to float32 before, and back after.",
        MEASURED,
        gpu.pads_integers,
    ),
    Rule(
        "condition-of-lower-rank",
        (GPU,),
        "wrong",
        "The axes of the condition are taken for others, or the operator is refused.",
        "RESHAPE the condition to the rank of the result.",
        MEASURED,
        gpu.chooses_elsewhere,
    ),
    Rule(
        "softmax-of-a-vector",
        (GPU,),
        "wrong",
        "The softmax goes over the channels, and the one axis is the batch there.",
        "RESHAPE to [1, n].",
        MEASURED,
        gpu.softens_the_batch,
    ),
    Rule(
        "one-hot-of-rows",
        (GPU,),
        "wrong",
        "The rows after the first one are wrong.",
        "RESHAPE the indices to a vector before.",
        MEASURED,
        gpu.spreads_rows,
    ),
    Rule(
        "concatenation-of-one",
        (GPU,),
        "wrong",
        "The result stays empty.",
        "Leave the operator out.",
        MEASURED,
        gpu.joins_one,
    ),
    Rule(
        "fused-tanh",
        (GPU,),
        "wrong",
        "The accelerator computes the fused TANH, and LiteRT's own kernels leave it out.",
        "Use an operator TANH of its own.",
        f"{MEASURED}, ADD and CONV_2D",
        gpu.fuses_tanh,
    ),
)

_REFUSED = (
    Rule(
        "int64",
        (GPU,),
        "falls back",
        "Tensors of int64 that are computed or given are refused, and the operator with them.",
        "Use int32; ARG_MAX has an output type for it.",
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
        "Tensors of more than four axes are refused.",
        "Merge axes, by RESHAPE or in the network.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_high_rank,
    ),
    Rule(
        "broadcast-to",
        (GPU,),
        "falls back",
        "BROADCAST_TO is refused.",
        "Let the operator after it broadcast, or use TILE or CONCATENATION.",
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
        "The accelerator does not know this custom operator or composite.",
        "Convert the network with builtin operators only.",
        _PARSER,
        gpu.is_unknown_by_name,
    ),
    Rule(
        "unknown-operator",
        (GPU,),
        "falls back",
        "The accelerator does not know this operator.",
        "Express it by operators that it knows.",
        f"{MEASURED}; {_PARSER}",
        gpu.is_unknown,
    ),
    Rule(
        "shape-at-run-time",
        (GPU,),
        "falls back",
        "A shape, or what says it, is only known at run time.",
        "Export with fixed shapes, and axes, sizes and paddings as constants.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_unknown_side,
    ),
    Rule(
        "constant-on-the-left",
        (GPU,),
        "falls back",
        "A product whose left side is a constant is refused.",
        "Multiply the transposed matrices in the other order.",
        f"{MEASURED}; https://github.com/tensorflow/tensorflow/issues/66727",
        gpu.has_constant_on_the_left,
    ),
    Rule(
        "operand-twice",
        (GPU,),
        "falls back",
        "An operator of a tensor with itself is refused, except ADD and MUL.",
        "Simplify it: SUB is 0, DIV is 1, MAXIMUM and MINIMUM are the tensor.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_one_operand_twice,
    ),
    Rule(
        "scalar-operand",
        (GPU,),
        "falls back",
        "A computed operand without axes, or a constant boolean, is refused.",
        "RESHAPE the operand to [1].",
        MEASURED,
        gpu.has_scalar_operand,
    ),
    Rule(
        "branch-of-another-shape",
        (GPU,),
        "falls back",
        "SELECT is refused if it has to broadcast what it chooses from.",
        "Give both branches the shape of the result.",
        "tflite/tools/versioning/gpu_compatibility.cc of LiteRT at f674577",
        gpu.has_broadcast_branch,
    ),
    Rule(
        "corners-and-centers",
        (GPU,),
        "falls back",
        "RESIZE_BILINEAR with align_corners and half_pixel_centers is refused, on the CPU too.",
        "Choose one; each is right alone.",
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
        "STRIDED_SLICE that adds or drops axes, or goes backwards, is refused.",
        "Slice without masks and RESHAPE; REVERSE_V2 goes backwards.",
        MEASURED,
        gpu.has_refused_mask,
    ),
    Rule(
        "prelu-slope",
        (GPU,),
        "falls back",
        "PRELU is refused unless its slope is one for each channel, or one for each element.",
        "Repeat the slope for all channels.",
        f"{MEASURED}; {_PARSER}",
        gpu.has_refused_slope,
    ),
    Rule(
        "padding-of-low-rank",
        (GPU,),
        "falls back",
        "Paddings of rank 1 and 2, and MIRROR_PAD that repeats the edge, are refused.",
        "RESHAPE to rank 4, and reflect without the edge.",
        MEASURED,
        gpu.has_refused_padding,
    ),
    Rule(
        "indices-of-a-matrix",
        (GPU,),
        "falls back",
        "GATHER is refused unless its indices are a vector.",
        "RESHAPE the indices, and the result.",
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
        "DYNAMIC_UPDATE_SLICE is refused if its place is a constant.",
        "Use SLICE and CONCATENATION.",
        MEASURED,
        gpu.updates_at_a_constant,
    ),
    Rule(
        "fused-sign-bit",
        (GPU,),
        "falls back",
        "A fused SIGN_BIT is refused.",
        "Use an operator of its own.",
        MEASURED,
        gpu.fuses_sign_bit,
    ),
)

_FATAL = (
    Rule(
        "int16",
        (GPU,),
        "aborts",
        "BATCH_MATMUL in int16, and int16 beside a constant, end the process.",
        "Quantize to int8, or keep these operators in floating point.",
        MEASURED,
        gpu.multiplies_int16,
    ),
    Rule(
        "embedding-of-high-rank",
        (GPU,),
        "aborts",
        "EMBEDDING_LOOKUP in anything but a matrix ends the process.",
        "RESHAPE the table to a matrix, and the result.",
        MEASURED,
        gpu.looks_up_matrices,
    ),
)

RULES: tuple[Rule, ...] = (*_WRONG, *_REFUSED, *_FATAL)
"""In the order in which they are reported for one operator."""
