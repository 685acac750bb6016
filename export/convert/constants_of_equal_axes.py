"""Giving a constant as many axes as the map that it is combined with, if the map's axes are equal.

onnx2tf transposes a constant to channels last by the constant's own axes. A constant with fewer
axes than the map, such as a scale of channels [C, 1, 1] or of columns [W], stays as it is, and is
combined with the wrong axis of the map; onnx2tf notices this only if the axes of the map have
different lengths. With axes of length 1 in front, as NumPy would add them, [1, C, 1, 1] becomes
[1, 1, 1, C].

The constant also becomes the second operand, where onnx2tf expects it.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from seaformer.export.convert.equal_axes import ELEMENT_WISE, has_equal_axes
from seaformer.export.convert.tensor_shapes import tensor_shapes

COMMUTATIVE = ("Add", "Mul")


def complete_constants(graph: onnx.ModelProto) -> None:
    """Reshape these constants. The graph must have named nodes and static shapes of all tensors."""
    shapes = tensor_shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type not in ELEMENT_WISE or len(constants.keys() & set(node.input)) != 1:
            continue
        place = 0 if node.input[0] in constants else 1
        values = numpy_helper.to_array(constants[node.input[place]])
        shape = shapes[node.input[1 - place]]
        if values.size == 1 or values.ndim > len(shape) or not has_equal_axes(shape):
            continue
        if values.ndim < len(shape):
            name = f"{node.name}/complete"
            lengths = (1,) * (len(shape) - values.ndim) + values.shape
            complete = numpy_helper.from_array(np.reshape(values, lengths), name)
            graph.graph.initializer.append(complete)
            node.input[place] = name
        if node.op_type in COMMUTATIVE and place == 0:
            node.input[:] = reversed(node.input)
