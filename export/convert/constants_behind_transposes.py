"""Moving Add and Mul with one constant per channel in front of the transpose that they follow.

Networks that compute channels last, such as ConvNeXt, scale a block's output after its transpose
back to channels first. onnx2tf keeps such a tensor in ONNX's order of axes, but transposes the
constant to channels last, and fails. In front of the transpose, where the channels are the last
axis, the constant has a single axis, so its order of axes cannot be wrong:

    T(x) * c = T(x * c')      c' [C] has the values of c, whose only axis longer than 1 is the
                              channel axis

The same holds for Add. The constant becomes the second operand, because onnx2tf confuses the shapes
of the operands if the constant is the first. Maps whose axes all have the same length are left to
`equal_axes`.
"""

import math
from collections import Counter

import onnx
from onnx import numpy_helper

from seaformer.export.convert.equal_axes import has_equal_axes, in_onnx_order
from seaformer.export.convert.graph_nodes import attribute, replace_nodes

COMMUTATIVE = ("Add", "Mul")


def move_constants(graph: onnx.ModelProto) -> None:
    """Swap these operators with the transposes before them; nodes and tensors keep their names."""
    nodes = graph.graph.node
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    infos = {value.name: value for value in graph.graph.value_info}
    in_order = in_onnx_order(graph, constants)
    transposes = {node.output[0]: node for node in nodes if node.op_type == "Transpose"}
    readers = Counter(name for node in nodes for name in node.input)
    follows: dict[str, str] = {}
    for node in nodes:
        turned = next((name for name in node.input if name in transposes), "")
        operand = next((name for name in node.input if name in constants), "")
        if node.op_type not in COMMUTATIVE or not turned or not operand or readers[turned] != 1:
            continue
        transpose = transposes[turned]
        perm = attribute(transpose, "perm")
        shape = [axis.dim_value for axis in infos[turned].type.tensor_type.shape.dim]
        if has_equal_axes(shape) or transpose.input[0] not in in_order:
            continue
        if _is_of_last(constants[operand], perm):
            flat = f"{node.name}/channels"
            values = numpy_helper.to_array(constants[operand]).reshape(-1)
            graph.graph.initializer.append(numpy_helper.from_array(values, flat))
            node.input[:] = [transpose.input[0], flat]
            infos[turned].type.CopyFrom(infos[transpose.input[0]].type)
            transpose.input[0], transpose.output[0] = turned, node.output[0]
            node.output[0] = turned
            transposes[transpose.output[0]] = transpose
            follows[transpose.name] = node.name
    moved = {follows[node.name]: node for node in nodes if node.name in follows}
    ordered: list[onnx.NodeProto] = []
    for node in nodes:
        if node.name not in follows:
            ordered.append(node)
        if node.name in moved:
            ordered.append(moved[node.name])
    replace_nodes(graph, ordered)


def _is_of_last(constant: onnx.TensorProto, perm: list[int]) -> bool:
    """Whether a constant of several axes varies only along the last axis before a transpose."""
    lengths = [1] * (len(perm) - len(constant.dims)) + list(constant.dims)
    along = perm.index(len(perm) - 1)
    return 1 < len(constant.dims) <= len(perm) and lengths[along] == math.prod(lengths) > 1
