"""The shapes of the tensors of an ONNX graph."""

import onnx


def tensor_shapes(graph: onnx.ModelProto) -> dict[str, list[int]]:
    """Return name -> shape of the inputs, outputs and intermediate tensors, without constants.

    The graph must have static shapes, inferred for all tensors.
    """
    return {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.value_info, *graph.graph.output)
    }
