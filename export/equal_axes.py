"""Telling onnx2tf how feature maps are stored whose channels, height and width are of one length.

onnx2tf keeps no record of how a tensor is stored: channels first, as ONNX says, or channels last,
as TFLite computes. It compares the shape with ONNX's, and where all axes but the batch's are of one
length, which tells nothing, it takes the tensor for one that is channels last. What a convolution
writes is. What a Reshape or Transpose writes is not: it has the order of ONNX, and the next
operator reads it crosswise. 64 channels on a grid of 64 x 64 (SegFormer-B0 at 512 x 512) made
another function of the network, 3 dB from it.

So these two operators are told to store such tensors as they are believed to be, by the mechanism
that onnx2tf has for this ("parameter replacement"):

    Reshape       transpose what it wrote to channels last
    Transpose     perm'[t] = s(perm[c(t)])      c(t): the axis of ONNX that is stored as axis t
                                                s(a): where axis a is stored, the inverse of c

TensorFlow's converter joins transposes that stand one behind the other and drops what is left of
them where it is the identity: nothing of this remains in the file (a test counts).
"""

from typing import Any

import onnx


def replacements(graph: onnx.ModelProto) -> dict[str, Any]:
    """List what onnx2tf has to be told, as its parameter replacement file has it.

    Args:
        graph: with named nodes and static shapes; `onnx.shape_inference` has run on it.
    """
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.value_info, *graph.graph.output, *graph.graph.input)
    }
    operations: list[dict[str, Any]] = []
    for node in graph.graph.node:
        shape = shapes.get(node.output[0], [])
        if len(shape) < 3 or len(set(shape[1:])) > 1:
            continue
        stored = _channels_last(len(shape))
        if node.op_type == "Reshape":
            told = {"param_target": "outputs", "param_name": node.output[0]}
            told["post_process_transpose_perm"] = stored
        elif node.op_type == "Transpose":
            (perm,) = (list(one.ints) for one in node.attribute if one.name == "perm")
            told = {"param_target": "attributes", "param_name": "perm"}
            told["values"] = [stored.index(perm[axis]) for axis in stored]
        else:
            continue
        operations.append({"op_name": node.name, **told})
    return {"format_version": 1, "operations": operations}


def _channels_last(rank: int) -> list[int]:
    """The axes of ONNX in the order that channels last stores them in."""
    return [0, *range(2, rank), 1]
