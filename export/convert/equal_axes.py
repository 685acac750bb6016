"""Telling onnx2tf how feature maps are stored whose channels, height and width are of one length.

onnx2tf keeps no record of how a tensor is stored: channels first, as ONNX says, or channels last,
as TFLite computes. It compares the shape with ONNX's, and where all axes but the batch's are of one
length, which tells nothing, it takes the tensor for one that is channels last. What a convolution
writes is. What a Reshape or Transpose writes is not: it has the order of ONNX, and the next
operator reads it crosswise. 64 channels on a grid of 64 x 64 (SegFormer-B0 at 512 x 512) made
another function of the network, 3 dB from it.

So every operator whose belief would be wrong is told, by the mechanism that onnx2tf has for this
("parameter replacement"), to make it true:

    Reshape       transpose what it wrote to channels last
    Transpose     perm'[t] = s(perm[c(t)])      c(t): the axis of ONNX that is stored as axis t
                                                s(a): where axis a is stored, the inverse of c

MatMul is the exception on both sides. It multiplies what it is given as it is stored, and what it
writes is believed to have the order of ONNX, which it has:

    MatMul        transpose what it is given, unless a MatMul wrote it, to channels first
    Transpose     of what a MatMul wrote: perm'[t] = perm[c(t)]
    any other     of what a MatMul wrote: likewise what else it is given, and what it wrote back

The same holds of a Concat that makes such a tensor from others that have the order of ONNX, and of
an element-wise operator of that and a constant: they keep the order, and only the constant, which
is believed to be channels last like the rest, is transposed back.

TensorFlow's converter joins transposes that stand one behind the other and drops what is left of
them where it is the identity: nothing of this remains in the file (a test counts).
"""

from collections.abc import Container, Sequence
from typing import Any

import onnx

ELEMENT_WISE = ("Add", "Sub", "Mul", "Div")
WRITE_ONNX_ORDER = ("MatMul", "Reshape", "Transpose")
WRITE_CHANNELS_LAST = ("Conv", "ConvTranspose", "Resize", "AveragePool", "MaxPool")


def replacements(graph: onnx.ModelProto) -> dict[str, Any]:
    """List what onnx2tf has to be told, as its parameter replacement file has it.

    The graph has named nodes and the static shapes of all tensors.
    """
    equal = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.graph.value_info, *graph.graph.output, *graph.graph.input)
        if _has_equal_axes([axis.dim_value for axis in value.type.tensor_type.shape.dim])
    }
    constants = {tensor.name: len(tensor.dims) for tensor in graph.graph.initializer}
    in_order = in_onnx_order(graph, constants)
    multiplied = {node.output[0] for node in graph.graph.node if node.op_type == "MatMul"}
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
                        _tell(node, "inputs", fixed[0], pre_process_transpose_perm=perm)
                    )
                continue
        if node.op_type == "Transpose" and written:
            (perm,) = (list(one.ints) for one in node.attribute if one.name == "perm")
            stored = _channels_last(len(perm))
            told = [
                perm[axis] if is_behind_product else stored.index(perm[axis]) for axis in stored
            ]
            operations.append(_tell(node, "attributes", "perm", values=told))
        elif node.op_type == "Reshape":
            if written:
                perm = _channels_last(equal[written])
                operations.append(_tell(node, "outputs", written, post_process_transpose_perm=perm))
        elif node.op_type == "MatMul" or (written and is_behind_product):
            for name in given:
                if name not in multiplied:
                    perm = _channels_first(equal[name])
                    operations.append(_tell(node, "inputs", name, pre_process_transpose_perm=perm))
            if written and node.op_type != "MatMul":
                perm = _channels_last(equal[written])
                operations.append(_tell(node, "outputs", written, post_process_transpose_perm=perm))
    return {"format_version": 1, "operations": operations}


def in_onnx_order(graph: onnx.ModelProto, constants: Container[str]) -> set[str]:
    """Names of the tensors that are stored in the order of ONNX, by what wrote them."""
    found: set[str] = set()
    for node in graph.graph.node:
        given = next((name for name in node.input if name not in constants), "")
        if node.op_type in WRITE_ONNX_ORDER or (
            node.op_type not in WRITE_CHANNELS_LAST and given in found
        ):
            found.update(node.output)
    return found


def _tell(node: onnx.NodeProto, target: str, name: str, **what: list[int]) -> dict[str, Any]:
    return {"op_name": node.name, "param_target": target, "param_name": name, **what}


def _has_equal_axes(shape: Sequence[int]) -> bool:
    return len(shape) > 2 and len(set(shape[1:])) == 1


def _channels_first(rank: int) -> list[int]:
    """The places of channels last in the order of ONNX."""
    return [0, rank - 1, *range(1, rank - 1)]


def _channels_last(rank: int) -> list[int]:
    """The axes of ONNX in the order that channels last stores them in."""
    return [0, *range(2, rank), 1]
