"""Overriding onnx2tf's layout inference for maps whose channels, height and width are equal.

onnx2tf does not record the layout of a tensor: channels first, as in ONNX, or channels last, as in
TFLite. It compares the shape with ONNX's, and if all axes except the batch have the same length,
which is ambiguous, it assumes channels last. That is correct for the output of a convolution, but
wrong after a Reshape or Transpose, whose output has the order of ONNX: the next operator then reads
it with swapped axes. With 64 channels on a grid of 64 x 64 (SegFormer-B0 at 512 x 512), the SQNR of
the converted network was 3 dB.

So every wrong inference is overridden by onnx2tf's "parameter replacement":

    Reshape       transpose its output to channels last
    Transpose     perm'[t] = s(perm[c(t)])      c(t): the axis of ONNX that is stored as axis t
                                                s(a): where axis a is stored, the inverse of c

MatMul is an exception for both inputs and outputs. It multiplies its inputs as they are stored, and
its output is correctly assumed to have the order of ONNX:

    MatMul        transpose its inputs to channels first, except outputs of a MatMul
    Transpose     of the output of a MatMul: perm'[t] = perm[c(t)]
    any other     of the output of a MatMul: transpose its other inputs too, and its output back

Unsqueeze inserts its axes in the order of ONNX, so its input is transposed to that order as well.

A Slice or Split can cut a tensor in the order of ONNX with unequal axes, such as a joint
[q | k | v], into tensors with equal axes. It is then treated like a Reshape.

A Concat of tensors in the order of ONNX, and an element-wise operator of such a tensor and a
constant, behave like MatMul: they keep the order, and only the constant, which is assumed to be
channels last, is transposed back. But onnx2tf assumes their output to be channels last, so an
operator along one axis, such as a Softmax after a position bias, would use the wrong axis:

    any other     of the output of these: transpose that input to channels last

A Concat of such tensors whose output has axes of different length is not ambiguous for the next
operator, but onnx2tf converts its axis as if its inputs were channels last:

    Concat        axis' = axis

DepthToSpace and SpaceToDepth are computed with channels last for any shape, so an input in the
order of ONNX is always transposed, even if its axes are equal.

TensorFlow's converter merges consecutive transposes and drops identities, so none of these
transposes remains in the file (a test counts them).
"""

from collections.abc import Container, Sequence
from typing import Any

import onnx

from seaformer.export.convert.graph_nodes import attribute
from seaformer.export.convert.tensor_shapes import tensor_shapes

ELEMENT_WISE = ("Add", "Sub", "Mul", "Div")
READ_ANY_ORDER = ("MatMul", "Transpose", "Concat", "Unsqueeze", *ELEMENT_WISE)
"""Operators with their own rules for inputs in the order of ONNX."""
PARTS = ("Slice", "Split")
WRITE_ONNX_ORDER = ("MatMul", "Reshape", "Transpose")
BLOCKS = ("DepthToSpace", "SpaceToDepth")
WRITE_CHANNELS_LAST = ("Conv", "ConvTranspose", "Resize", "AveragePool", "MaxPool", *BLOCKS)


def replacements(graph: onnx.ModelProto) -> dict[str, Any]:
    """Return the content of onnx2tf's parameter replacement file for a graph.

    The graph must have named nodes and static shapes of all tensors.
    """
    equal = {
        name: len(shape) for name, shape in tensor_shapes(graph).items() if has_equal_axes(shape)
    }
    constants = {tensor.name: len(tensor.dims) for tensor in graph.graph.initializer}
    in_order = in_onnx_order(graph, constants)
    multiplied = {node.output[0] for node in graph.graph.node if node.op_type == "MatMul"}
    products = frozenset(multiplied)
    operations: list[dict[str, Any]] = []
    for node in graph.graph.node:
        given = [name for name in node.input if name in equal]
        written = node.output[0] if node.output[0] in equal else None
        if written and node.op_type == "Concat" and in_order.issuperset(node.input):
            multiplied.add(written)
        is_behind_product = not multiplied.isdisjoint(given)
        if written and is_behind_product and node.op_type in ELEMENT_WISE:
            fixed = [name for name in node.input if name in constants]
            if len(fixed) == 1:
                multiplied.add(written)
                if constants[fixed[0]] > 2:
                    perm = _channels_first(constants[fixed[0]])
                    operations.append(
                        _override(node, "inputs", fixed[0], pre_process_transpose_perm=perm)
                    )
                continue
        kept = [name for name in given if name in multiplied and name not in products]
        if kept and node.op_type == "Concat" and not written and in_order.issuperset(node.input):
            axis = attribute(node, "axis")
            operations.append(_override(node, "attributes", "axis", values=axis))
            continue
        if kept and node.op_type not in READ_ANY_ORDER:
            operations += [
                _override(
                    node, "inputs", name, pre_process_transpose_perm=_channels_last(equal[name])
                )
                for name in kept
            ]
            if node.op_type != "Reshape":
                continue
        if node.op_type == "Transpose" and written:
            perm = attribute(node, "perm")
            stored = _channels_last(len(perm))
            corrected = [
                perm[axis] if is_behind_product else stored.index(perm[axis]) for axis in stored
            ]
            operations.append(_override(node, "attributes", "perm", values=corrected))
        elif node.op_type == "Reshape" or (
            node.op_type in PARTS and node.input[0] in in_order and node.input[0] not in equal
        ):
            for name in node.output:
                if name in equal:
                    perm = _channels_last(equal[name])
                    operations.append(
                        _override(node, "outputs", name, post_process_transpose_perm=perm)
                    )
        elif node.op_type in BLOCKS:
            (name,) = node.input
            if name in in_order and (name not in equal or name in products):
                perm = _channels_last(4)
                operations.append(_override(node, "inputs", name, pre_process_transpose_perm=perm))
        elif node.op_type in ("MatMul", "Unsqueeze") or (written and is_behind_product):
            for name in given:
                if name not in multiplied:
                    perm = _channels_first(equal[name])
                    operations.append(
                        _override(node, "inputs", name, pre_process_transpose_perm=perm)
                    )
            if written and node.op_type != "MatMul":
                perm = _channels_last(equal[written])
                operations.append(
                    _override(node, "outputs", written, post_process_transpose_perm=perm)
                )
    return {"format_version": 1, "operations": operations}


def in_onnx_order(graph: onnx.ModelProto, constants: Container[str]) -> set[str]:
    """Names of the tensors stored in the order of ONNX, according to their producers."""
    found: set[str] = set()
    for node in graph.graph.node:
        given = next((name for name in node.input if name not in constants), "")
        if node.op_type in WRITE_ONNX_ORDER or (
            node.op_type not in WRITE_CHANNELS_LAST and given in found
        ):
            found.update(node.output)
    return found


def has_equal_axes(shape: Sequence[int]) -> bool:
    """Whether the layout of a tensor cannot be inferred from its shape."""
    return len(shape) > 2 and len(set(shape[1:])) == 1


def _override(
    node: onnx.NodeProto, target: str, name: str, **value: int | list[int]
) -> dict[str, Any]:
    return {"op_name": node.name, "param_target": target, "param_name": name, **value}


def _channels_first(rank: int) -> list[int]:
    """Permutation from channels last to the order of ONNX."""
    return [0, rank - 1, *range(1, rank - 1)]


def _channels_last(rank: int) -> list[int]:
    """Permutation from the order of ONNX to channels last."""
    return [0, *range(2, rank), 1]
