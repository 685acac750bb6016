"""Sigmoid, tanh and GELU of maps, computed in tensors of three axes.

Qualcomm's NPUs approximate these functions in their tiled layout for maps, the usual one behind a
convolution: each of them reaches 42 to 49 dB, which adds up in a deep network. In other layouts
they reach 63 to 68 dB in half precision (measured with QNN 2.51 on the emulator of the SM8650):

    f(x) = reshape(f(reshape(x, [N, C, H W])), [N, C, H, W])

The reshapes change the layout twice, which takes time, so this is only for networks that need it.
GELU is the function Erf here.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seaformer.export.convert.graph_nodes import replace_nodes
from seaformer.export.convert.tensor_shapes import tensor_shapes

APPROXIMATED = ("Erf", "Sigmoid", "Tanh")


def with_flat_activations(graph: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """Copy a graph with reshapes around these operators; also return their number."""
    flat = onnx.shape_inference.infer_shapes(graph)
    shapes = tensor_shapes(flat)
    nodes, count = [], 0
    for node in flat.graph.node:
        shape = shapes.get(node.output[0], [])
        if node.op_type not in APPROXIMATED or len(shape) != 4:
            nodes.append(node)
            continue
        count += 1
        name, source, target = node.name, node.input[0], node.output[0]
        for place, lengths in (("flat", [*shape[:2], shape[2] * shape[3]]), ("map", shape)):
            tensor = numpy_helper.from_array(np.array(lengths), f"{name}/{place}/shape")
            flat.graph.initializer.append(tensor)
        node.input[0], node.output[0] = f"{name}/flat", f"{name}/activated"
        nodes += [
            helper.make_node(
                "Reshape", [source, f"{name}/flat/shape"], [node.input[0]], name=node.input[0]
            ),
            node,
            helper.make_node(
                "Reshape", [node.output[0], f"{name}/map/shape"], [target], name=f"{name}/map"
            ),
        ]
    replace_nodes(flat, nodes)
    return flat, count
