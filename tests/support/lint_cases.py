"""One-operator files on which LiteRT's GPU accelerator fails, and similar ones that it supports.

Each case was verified on the accelerator; `test_lint.py` verifies them again if there is a driver.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from one_operator import Case, constant, input_tensor

COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
LOGICAL = ("LOGICAL_AND", "LOGICAL_OR")
ARITHMETIC = (
    "ADD", "ATAN2", "DIV", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "MUL", "POW",
    "SQUARED_DIFFERENCE", "SUB",
)  # fmt: skip
ORDERS = ("right", "left")

FAULTY_SHAPES = (
    ((64,), (64,)),
    ((6, 8), (6, 8)),
    ((1, 8), (6, 8)),
    ((4, 6, 8), (4, 6, 8)),
    ((1, 6, 8), (4, 1, 8)),
    ((4, 6, 8), (4, 1, 1)),
    ((1, 5, 6, 8), (4, 1, 1, 8)),
    ((1, 5, 6, 8), (4, 5, 6, 8)),
    ((6, 8), (1, 1, 6, 8)),
)
"""Shapes of the computed operand, and of a float constant whose axes are not aligned with it."""

CORRECT_SHAPES = (
    ((8,), (1,)),
    ((6, 8), (8,)),
    ((6, 8), (1, 8)),
    ((4, 6, 8), (8,)),
    ((4, 6, 8), (6, 8)),
    ((4, 6, 8), (1, 6, 8)),
    ((1, 6, 8), (1, 6, 8)),
    ((1, 5, 6, 8), (5, 6, 8)),
    ((1, 1, 6, 8), (1, 4, 1, 8)),
    ((4, 5, 6, 8), (6, 8)),
    ((4, 5, 6, 8), (4, 5, 6, 8)),
)
"""As above, with constants that are aligned."""

FAULTY_INTEGER_SHAPES = (((6, 8), (8,)), ((4, 6, 8), (6, 8)), ((1, 5, 6, 8), (5, 6, 8)))
CORRECT_INTEGER_SHAPES = (((8,), (8,)), ((4, 6, 8), (4, 6, 8)), ((1, 5, 6, 8), (1, 5, 6, 8)))
"""As above, with integer and boolean constants, which are laid out like computed tensors."""


def element_wise(
    type: str, order: str, computed: Sequence[int], fixed: Sequence[int], dtype: str = "float32"
) -> Case:
    """Return an element-wise operator with a computed tensor and a constant."""
    operands = (input_tensor(*computed, dtype=dtype), constant(*fixed, dtype=dtype))
    output = "bool" if type in (*COMPARISONS, *LOGICAL) else dtype
    return Case(type, operands if order == "right" else operands[::-1], {}, (output,))


def _takes(type: str, computed: Sequence[int], fixed: Sequence[int]) -> bool:
    return type != "ATAN2" or computed == fixed  # LiteRT's own kernel does not broadcast


def _element_wise(is_correct: bool) -> Iterator[tuple[str, Case]]:
    real = CORRECT_SHAPES if is_correct else FAULTY_SHAPES
    whole = CORRECT_INTEGER_SHAPES if is_correct else FAULTY_INTEGER_SHAPES
    for type, order, shapes in itertools.product((*ARITHMETIC, *COMPARISONS), ORDERS, real):
        if _takes(type, *shapes):
            yield f"{type} {order} {shapes}", element_wise(type, order, *shapes)
    for type, order, shapes in itertools.product(LOGICAL, ORDERS, whole):
        yield f"{type} {order} {shapes}", element_wise(type, order, *shapes, "bool")
    for type, order, shapes in itertools.product(("ADD", "MAXIMUM"), ORDERS, whole):
        yield f"{type} int32 {order} {shapes}", element_wise(type, order, *shapes, "int32")


def _ints(*values: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.int32]]":
    return np.array(values, np.int32)


def _product(
    left: Sequence[int], right: Sequence[int], is_constant: bool = False, **options: bool
) -> Case:
    second = constant(*right) if is_constant else input_tensor(*right)
    return Case("BATCH_MATMUL", (input_tensor(*left), second), options)


def _convolution(inputs: int, outputs: int, groups: int) -> Case:
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    weights = constant(outputs, 3, 3, inputs // groups)
    return Case("CONV_2D", (input_tensor(1, 8, 8, inputs), weights, constant(outputs)), options)


def _depthwise(channels: int, outputs: int, *kernel: int, stride: int = 1) -> Case:
    options = {
        "strideH": stride,
        "strideW": stride,
        "dilationHFactor": 1,
        "dilationWFactor": 1,
        "depthMultiplier": outputs // channels,
    }
    weights = constant(1, *kernel, outputs)
    image = input_tensor(1, 8, 8, channels)
    return Case("DEPTHWISE_CONV_2D", (image, weights, constant(outputs)), options)


def _arg_max(dtype: str, type: int) -> Case:
    return Case("ARG_MAX", (input_tensor(1, 8, 8, 12), _ints(3)), {"outputType": type}, (dtype,))


def _pad(shape: Sequence[int], *paddings: int, dtype: str = "float32") -> Case:
    return Case(
        "PAD", (input_tensor(*shape, dtype=dtype), _ints(*paddings).reshape(-1, 2)), {}, (dtype,)
    )


def _select(condition: Sequence[int], shape: Sequence[int]) -> Case:
    return Case(
        "SELECT_V2",
        (input_tensor(*condition, dtype="bool"), input_tensor(*shape), input_tensor(*shape)),
    )


def _one_hot(*shape: int) -> Case:
    on, off = np.float32(1).reshape(()), np.float32(0).reshape(())
    indices = input_tensor(*shape, dtype="int32")
    return Case("ONE_HOT", (indices, _ints(100).reshape(()), on, off), {"axis": -1})


def _prelu(shape: Sequence[int], slope: Sequence[int]) -> Case:
    return Case("PRELU", (input_tensor(*shape), constant(*slope)))


def _cumsum(axis: int, *shape: int, **options: bool) -> Case:
    return Case("CUMSUM", (input_tensor(*shape), _ints(axis)), options)


def _sliced(**options: int) -> Case:
    places = _ints(0, 0, 0, 0), _ints(1, 4, 5, 8), _ints(1, 1, 1, 1)
    return Case("STRIDED_SLICE", (input_tensor(1, 4, 5, 8), *places), options)


def _resized(type: str, *, corners: bool = False, centers: bool = False) -> Case:
    options = {"alignCorners": corners, "halfPixelCenters": centers}
    return Case(type, (input_tensor(1, 8, 8, 4), _ints(13, 29)), options)


_IMAGE = input_tensor(1, 4, 5, 8)

FAULTY = dict(_element_wise(is_correct=False)) | {
    "batches 4 x 1": _product((4, 8, 8), (1, 8, 24)),
    "batches 4 x constant 1": _product((4, 8, 8), (1, 8, 24), True),
    "batches 1 x 4": _product((1, 8, 8), (4, 8, 24)),
    "batches 4 x rank 2": _product((4, 8, 8), (8, 24)),
    "batches 1,4 x 1,1": _product((1, 4, 8, 8), (1, 1, 8, 24)),
    "batches 2,3 x 2,1": _product((2, 3, 8, 8), (2, 1, 8, 24)),
    "batches 2,3 x 3": _product((2, 3, 8, 8), (3, 8, 24)),
    "batches 4 x 1, left transposed": _product((4, 8, 8), (1, 8, 24), adjX=True),
    "batches 4 x 1, right transposed": _product((4, 9, 8), (1, 24, 8), adjY=True),
    "batches 4 x 1, odd rows transposed": _product((4, 8, 40), (1, 49, 40), adjY=True),
    "batches 1 x 4, right transposed": _product((1, 8, 8), (4, 24, 8), adjY=True),
    "constant matrix transposed": _product((4, 8, 8), (24, 8), True, adjY=True),
    "850 batches": _product((850, 1, 40), (850, 40, 49)),
    "constant on the left": Case("BATCH_MATMUL", (constant(4, 8, 8), input_tensor(4, 8, 24))),
    "groups of 2": _convolution(8, 8, 4),
    "groups of 4 and 3": _convolution(16, 12, 4),
    "copies of channels": _depthwise(8, 16, 1, 1),
    "four copies of channels": _depthwise(8, 32, 1, 1),
    "copies of channels at a stride": _depthwise(8, 16, 1, 1, stride=2),
    "two batches of blocks": Case("DEPTH_TO_SPACE", (input_tensor(2, 8, 8, 16),), {"blockSize": 2}),
    "two batches to blocks": Case("SPACE_TO_DEPTH", (input_tensor(2, 8, 8, 16),), {"blockSize": 2}),
    "cumulative sum of the batch": _cumsum(0, 4, 8),
    "cumulative sum of a vector": _cumsum(0, 8),
    "cumulative sum, exclusive": _cumsum(3, 1, 4, 5, 8, exclusive=True),
    "cumulative sum, reverse": _cumsum(3, 1, 4, 5, 8, reverse=True),
    "padding with batches": _pad((3, 4, 8), 0, 0, 1, 1, 0, 0),
    "padding of one batch": _pad((1, 4, 5, 8), 1, 0, 0, 0, 0, 0, 0, 0),
    "padding of int32": _pad((1, 4, 5, 8), 0, 0, 1, 1, 1, 1, 0, 0, dtype="int32"),
    "padding of a matrix": _pad((4, 8), 0, 0, 1, 1),
    "condition of rank 1": _select((8,), (6, 8)),
    "condition of rank 2": _select((6, 8), (3, 6, 8)),
    "softmax of a vector": Case("SOFTMAX", (input_tensor(8),), {"beta": 1.0}),
    "softmax beta": Case("SOFTMAX", (_IMAGE,), {"beta": 2.0}),
    "one-hot rows": _one_hot(1, 4, 3),
    "concatenation of one": Case("CONCATENATION", (_IMAGE,), {"axis": 3}),
    "int64 class ids": _arg_max("int64", 4),
    "int64 sum": Case(
        "ADD",
        (input_tensor(1, 4, 5, 8, dtype="int64"), input_tensor(1, 4, 5, 8, dtype="int64")),
        {},
        ("int64",),
    ),
    "cast to int64": Case("CAST", (_IMAGE,), {"outDataType": 4}, ("int64",)),
    "rank 5": Case("EXP", (input_tensor(1, 2, 3, 4, 5),)),
    "RELU_0_TO_1": Case("RELU_0_TO_1", (_IMAGE,)),
    "ARG_MIN": Case("ARG_MIN", (_IMAGE, _ints(3)), {"outputType": 2}, ("int32",)),
    "LOG_SOFTMAX": Case("LOG_SOFTMAX", (_IMAGE,)),
    "L2_NORMALIZATION": Case("L2_NORMALIZATION", (_IMAGE,)),
    "EXPAND_DIMS": Case("EXPAND_DIMS", (input_tensor(4, 8), _ints(0))),
    "SQUEEZE": Case("SQUEEZE", (input_tensor(1, 4, 8),), {"squeezeDims": [0]}),
    "GATHER_ND": Case("GATHER_ND", (input_tensor(4, 5, 8), _ints(0, 1).reshape(1, 2))),
    "gather by a matrix": Case("GATHER", (_IMAGE, _ints(0, 1).reshape(1, 2)), {"axis": 2}),
    "mean of int32": Case(
        "MEAN", (input_tensor(1, 4, 5, 8, dtype="int32"), _ints(1)), {"keepDims": True}, ("int32",)
    ),
    "slope of height": _prelu((1, 4, 5, 8), (4, 1, 8)),
    "one slope": _prelu((1, 4, 5, 8), (1,)),
    "slice that drops an axis": _sliced(shrinkAxisMask=1),
    "fused sign bit": Case("ADD", (_IMAGE, _IMAGE), {"fusedActivationFunction": 5}),
}
"""Name -> operator that the accelerator computes incorrectly, refuses or crashes on, in fp32."""

CORRECT = dict(_element_wise(is_correct=True)) | {
    "computed operand of batch 4": Case("MUL", (input_tensor(1, 6, 8), input_tensor(4, 1, 8))),
    "computed operands of two ranks": Case("SUB", (input_tensor(6, 8), input_tensor(3, 6, 8))),
    "batches 4 x 4": _product((4, 8, 8), (4, 8, 24)),
    "batches 4 x constant 4": _product((4, 8, 8), (4, 8, 24), True),
    "batches 2,3 x 2,3": _product((2, 3, 8, 8), (2, 3, 8, 24)),
    "batches 1,4 x 4": _product((1, 4, 8, 8), (4, 8, 24)),
    "batches 4 x 1, few rows": _product((4, 8, 8), (1, 24, 8), adjY=True),
    "batches 4 x 4, transposed": _product((4, 8, 16), (4, 24, 8), adjX=True, adjY=True),
    "batches 4 x constant matrix": _product((4, 8, 8), (8, 24), True),
    "rank 2 x rank 2": _product((8, 8), (8, 24)),
    "819 batches": _product((819, 1, 40), (819, 40, 49)),
    "groups of 4": _convolution(16, 16, 4),
    "depthwise as groups": _convolution(6, 6, 6),
    "no groups": _convolution(6, 6, 1),
    "scaled channels": _depthwise(8, 8, 1, 1),
    "copies of one channel": _depthwise(1, 4, 1, 1),
    "filtered copies of channels": _depthwise(8, 16, 3, 3),
    "one batch of blocks": Case("DEPTH_TO_SPACE", (input_tensor(1, 8, 8, 16),), {"blockSize": 2}),
    "cumulative sum of channels": _cumsum(2, 3, 4, 8),
    "padding of height and width": _pad((3, 4, 5, 8), 0, 0, 1, 1, 1, 1, 0, 0),
    "padding without batches": _pad((1, 4, 8), 0, 0, 1, 1, 0, 0),
    "condition of equal rank": _select((1, 6, 1), (3, 6, 8)),
    "softmax of rows": Case("SOFTMAX", (input_tensor(3, 4, 8),), {"beta": 1.0}),
    "one-hot vector": _one_hot(5),
    "concatenation with a constant": Case("CONCATENATION", (_IMAGE, constant(1, 4, 5, 8)), {}),
    "int32 class ids": _arg_max("int32", 2),
    "mean of rows": Case("MEAN", (input_tensor(3, 4, 5, 8), _ints(1)), {"keepDims": True}),
    "sum of heads": Case("SUM", (input_tensor(1, 4, 8, 24), _ints(1)), {"keepDims": True}),
    "corners aligned": _resized("RESIZE_BILINEAR", corners=True),
    "centers aligned": _resized("RESIZE_BILINEAR", centers=True),
    "nearest, corners aligned": _resized("RESIZE_NEAREST_NEIGHBOR", corners=True),
    "slope of channels": _prelu((3, 4, 5, 8), (8,)),
    "slope of each element": _prelu((1, 4, 5, 8), (4, 5, 8)),
    "slice": _sliced(beginMask=1),
    "transpose": Case("TRANSPOSE", (input_tensor(3, 4, 5, 8), _ints(3, 1, 0, 2))),
    "fully connected": Case("FULLY_CONNECTED", (input_tensor(3, 4), constant(6, 4), constant(6))),
    "gather": Case("GATHER", (_IMAGE, _ints(2, 0, 1)), {"axis": 2}),
}
"""Name -> operator that it computes correctly."""
