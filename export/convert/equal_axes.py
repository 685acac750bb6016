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

A Slice, Split, Gather, Pad or Expand can make tensors with equal axes of one in the order of ONNX
with unequal axes, such as a joint [q | k | v]. It is then treated like a Reshape.

A Concat of tensors in the order of ONNX, and an element-wise operator of such a tensor and a
constant, behave like MatMul: they keep the order, and only the constant, which is assumed to be
channels last, is transposed back. But onnx2tf assumes their output to be channels last, so an
operator along one axis, such as a Softmax after a position bias, would use the wrong axis:

    any other     of the output of these: transpose that input to channels last

A Concat whose output has axes of different length is not ambiguous for the next operator. If all
its inputs are stored channels last, it needs no correction. If one is in the order of ONNX, as a
class token is beside as many tokens as channels, all have to be:

    Concat        axis' = axis; transpose its inputs to channels first, except those of MatMul etc.

A constant among two inputs is transposed by onnx2tf to the first order of axes that fits along the
axis, which has to be found in the same way.

DepthToSpace and SpaceToDepth are computed with channels last for any shape, so an input in the
order of ONNX is always transposed, even if its axes are equal.

TensorFlow's converter merges consecutive transposes and drops identities, so none of these
transposes remains in the file (a test counts them).
"""

from collections.abc import Container, Mapping, Sequence
from itertools import permutations
from typing import Any

import onnx

from seaformer.export.convert.graph_nodes import attribute
from seaformer.export.convert.tensor_shapes import tensor_shapes

ELEMENT_WISE = ("Add", "Sub", "Mul", "Div")
READ_ANY_ORDER = ("MatMul", "Transpose", "Concat", "Unsqueeze", *ELEMENT_WISE)
"""Operators with their own rules for inputs in the order of ONNX."""
PARTS = ("Slice", "Split", "Gather", "Pad", "Expand")
"""Operators that can change lengths of axes, and keep their order."""
WRITE_ONNX_ORDER = ("MatMul", "Reshape", "Transpose")
BLOCKS = ("DepthToSpace", "SpaceToDepth")
WRITE_CHANNELS_LAST = ("Conv", "ConvTranspose", "Resize", "AveragePool", "MaxPool", *BLOCKS)


def replacements(graph: onnx.ModelProto) -> dict[str, Any]:
    """Return the content of onnx2tf's parameter replacement file for a graph.

    The graph must have named nodes and static shapes of all tensors.
    """
    shapes = tensor_shapes(graph)
    equal = {name: len(shape) for name, shape in shapes.items() if has_equal_axes(shape)}
    constants = {tensor.name: list(tensor.dims) for tensor in graph.graph.initializer}
    in_order = in_onnx_order(graph, constants)
    multiplied = {node.output[0] for node in graph.graph.node if node.op_type == "MatMul"}
    products = frozenset(multiplied)
    operations: list[dict[str, Any]] = []
    for node in graph.graph.node:
        given = [name for name in node.input if name in equal]
        written = node.output[0] if node.output[0] in equal else None
        is_behind_product = not multiplied.isdisjoint(given)
        if written and is_behind_product and node.op_type in ELEMENT_WISE:
            fixed = [name for name in node.input if name in constants]
            if len(fixed) == 1:
                multiplied.add(written)
                if len(constants[fixed[0]]) > 2:
                    perm = _channels_first(len(constants[fixed[0]]))
                    operations.append(
                        _override(node, "inputs", fixed[0], pre_process_transpose_perm=perm)
                    )
                continue
        if node.op_type == "Concat" and (given or written):
            variables = [name for name in node.input if name not in constants]
            turned = [name for name in given if name not in multiplied]
            has_constant = len(variables) < len(node.input)
            if in_order.issuperset(variables) and (has_constant or len(turned) < len(variables)):
                is_turned = all(name in equal and name not in products for name in variables)
                fixed = [name for name in node.input if name in constants and is_turned]
                lengths = {name: constants[name] for name in fixed}
                operations += _concat_in_order(node, turned, lengths, shapes[variables[0]])
                if written:
                    multiplied.add(written)
                continue
        kept = [name for name in given if name in multiplied and name not in products]
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


def _concat_in_order(
    node: onnx.NodeProto,
    turned: Sequence[str],
    constants: Mapping[str, Sequence[int]],
    shape: Sequence[int],
) -> list[dict[str, Any]]:
    """Let a Concat compute in the order of ONNX.

    Args:
        node: the Concat.
        turned: those of its inputs that are stored channels last.
        constants: lengths of the axes of its constants, if onnx2tf transposes them.
        shape: shape of another input.
    """
    axis = attribute(node, "axis")
    operations = [_override(node, "attributes", "axis", values=axis)]
    for name in turned:
        perm = _channels_first(len(shape))
        operations.append(_override(node, "inputs", name, pre_process_transpose_perm=perm))
    for name, lengths in constants.items():
        order = _channels_last(len(shape))
        if len(node.input) == 2:
            order = _order_of_constant(lengths, shape, axis)
        perm = [order.index(place) for place in range(len(shape))]
        if perm != sorted(perm):
            operations.append(_override(node, "inputs", name, pre_process_transpose_perm=perm))
    return operations


def _order_of_constant(lengths: Sequence[int], shape: Sequence[int], axis: int) -> list[int]:
    """Axes of a constant in the order that onnx2tf gives it beside a tensor of this shape."""
    others = [place for place in range(len(shape)) if place != axis % len(shape)]
    return next(
        list(order)
        for order in permutations(_channels_last(len(shape)))
        if all(lengths[order[place]] == shape[place] for place in others)
    )


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
