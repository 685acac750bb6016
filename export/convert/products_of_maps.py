"""Products of feature maps as matrices, which onnx2tf multiplies as they are stored.

It stores what convolutions and the like write channels last, and MatMul has the order of ONNX. A
Reshape brings a tensor to that order, also one to the shape that it has. So each factor of three
axes or more that is stored channels last is reshaped to its own shape. TensorFlow's converter makes
a transpose of it.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.equal_axes import in_onnx_order


def reorder_factors(graph: onnx.ModelProto) -> None:
    """Insert the reshapes. The graph has named nodes and the static shapes of all tensors."""
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.value_info, *graph.graph.input)
    }
    in_order = in_onnx_order(graph, {tensor.name for tensor in graph.graph.initializer})
    nodes = []
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            shape = shapes.get(name, [])
            if node.op_type == "MatMul" and len(shape) > 2 and name not in in_order:
                size, ordered = f"{node.name}/shape{place}", f"{node.name}/ordered{place}"
                graph.graph.initializer.append(numpy_helper.from_array(np.array(shape), size))
                nodes.append(helper.make_node("Reshape", [name, size], [ordered], name=ordered))
                graph.graph.value_info.append(
                    helper.make_tensor_value_info(ordered, onnx.TensorProto.FLOAT, shape)
                )
                node.input[place] = ordered
        nodes.append(node)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
