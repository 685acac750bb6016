"""Correcting the layout of feature maps that are multiplied as matrices.

onnx2tf stores the outputs of convolutions and similar operators with channels last, but passes them
to MatMul without restoring the order of ONNX. A Reshape restores that order, even if the shape is
unchanged. Therefore, each factor of three axes or more that is stored with channels last is
reshaped to its own shape, which TensorFlow's converter turns into a transpose.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.equal_axes import in_onnx_order
from seaformer.export.convert.graph_nodes import replace_nodes
from seaformer.export.convert.tensor_shapes import tensor_shapes


def reorder_factors(graph: onnx.ModelProto) -> None:
    """Insert the reshapes. The graph must have named nodes and static shapes of all tensors."""
    shapes = tensor_shapes(graph)
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
    replace_nodes(graph, nodes)
