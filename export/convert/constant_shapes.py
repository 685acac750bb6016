"""Replacing what a graph computes from shapes alone by constants.

The tracer records `x.shape` as an operator, although an exported file has a single static shape.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from seaformer.runtimes import open_content


def fold_shapes(graph: onnx.ModelProto, x: np.ndarray) -> onnx.ModelProto:
    """Return a copy in which tensors that depend on the input's shape, not its values, are stored.

    Args:
        graph: of one input.
        x: any input of the graph.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(graph)
    nodes = folded.graph.node
    if any(part.HasField("g") for node in nodes for part in node.attribute):
        return folded  # a branch or a loop may read any tensor outside it
    of_values = {folded.graph.input[0].name}
    kept = []
    for node in nodes:
        if node.op_type != "Shape" and not of_values.isdisjoint(node.input):
            of_values.update(node.output)
            kept.append(node)
    fixed = {name for node in nodes for name in node.output} - of_values
    needed = list(dict.fromkeys(name for node in kept for name in node.input if name in fixed))
    with open_content(graph.SerializeToString(), ".onnx") as session:
        values = session.fetch(needed, [x])
    folded.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in zip(needed, values, strict=True)
    )
    del nodes[:]
    nodes.extend(kept)
    return folded
