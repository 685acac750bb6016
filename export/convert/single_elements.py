"""Taking one element of an axis without GATHER.

`x[:, 0]`, the class token of vision transformers, is a Gather with a scalar index in ONNX. GPU
accelerators support only vectors of indices, so they refuse the whole network. A Slice of length 1
and a Reshape that removes its axis give the same values.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.graph_nodes import attribute, replace_nodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

MAX_RANK = 4
LAST = np.iinfo(np.int64).max
"""End of a slice that contains the last element."""


def slice_single_elements(graph: onnx.ModelProto) -> None:
    """Replace each Gather with a constant scalar index.

    The graph must have named nodes and static shapes.
    """
    shapes = tensor_shapes(graph)
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    nodes = []
    for node in graph.graph.node:
        shape = shapes.get(node.input[0], []) if node.input else []
        index = constants.get(node.input[1]) if node.op_type == "Gather" else None
        if index is None or len(index.dims) > 0 or not 2 <= len(shape) <= MAX_RANK:
            nodes.append(node)
            continue
        place = int(numpy_helper.to_array(index))
        axis = attribute(node, "axis", 0) % len(shape)
        length_1, single = [*shape[:axis], 1, *shape[axis + 1 :]], f"{node.name}/single"
        parameters = {
            "starts": [place],
            "ends": [LAST if place == -1 else place + 1],
            "axes": [axis],
            "shape": [*shape[:axis], *shape[axis + 1 :]],
        }
        for name, values in parameters.items():
            constant = numpy_helper.from_array(np.array(values, np.int64), f"{single}/{name}")
            graph.graph.initializer.append(constant)
        given = [f"{single}/{name}" for name in ("starts", "ends", "axes")]
        nodes.append(helper.make_node("Slice", [node.input[0], *given], [single], name=single))
        graph.graph.value_info.append(
            helper.make_tensor_value_info(single, onnx.TensorProto.FLOAT, length_1)
        )
        reshaped = [single, f"{single}/shape"]
        nodes.append(helper.make_node("Reshape", reshaped, node.output, name=node.name))
    replace_nodes(graph, nodes)
