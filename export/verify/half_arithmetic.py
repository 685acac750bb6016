"""Emulation of half precision, the default of phone GPUs.

SwiftShader does not support half precision, so it is emulated: all weights and operator outputs are
rounded to float16. Sums within an operator stay in single precision, which is optimistic: a GPU
that also adds in half precision has a larger error (the trained Tiny of task shapes reaches 58.9 dB
emulated and 51.8 dB on lavapipe, both with 99.9 % agreement).
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seaformer.artifact.metadata import Comparison
from seaformer.export.convert.graph_nodes import replace_nodes
from seaformer.export.verify.verification import Sample, compare
from seaformer.runtimes import ImageSession, open_content

MAX_HALF = 65504
"""Largest number of half precision."""

EMULATED = "emulated: weights and activations rounded to float16"


def compare_in_half(
    graph: onnx.ModelProto, samples: Sequence[Sample]
) -> tuple[Comparison, ...] | None:
    """Compare the network in emulated half precision with PyTorch.

    Args:
        graph: single precision; not modified.
        samples: inputs with the reference outputs of the training form.

    Returns:
        A comparison for each sample; None if an output is not finite, because a value exceeds
        65504.
    """
    rounded = rounded_to_half(graph).SerializeToString()
    with open_content(rounded, ".onnx") as session:
        model = ImageSession(session, channels=samples[0].input.shape[1])
        if not all(np.isfinite(model.run(sample.input)).all() for sample in samples):
            return None
        return tuple(compare(model, sample) for sample in samples)


def first_overflow(
    graph: onnx.ModelProto, samples: Sequence[Sample]
) -> tuple[onnx.NodeProto, float] | None:
    """Find the first node whose output is not finite in emulated half precision.

    Args:
        graph: single precision; not modified.
        samples: inputs.

    Returns:
        The node, and the largest absolute value of its output in single precision; None if
        all outputs are finite.
    """
    nodes = {name: node for node in graph.graph.node for name in node.output}
    for sample in samples:
        values = []
        for model in (rounded_to_half(graph), graph):
            with open_content(model.SerializeToString(), ".onnx") as session:
                values.append(session.fetch(list(nodes), [sample.input]))
        for name, half, single in zip(nodes, *values, strict=True):
            if half.dtype == np.float32 and not np.isfinite(half).all():
                return nodes[name], float(np.abs(single).max())
    return None


def rounded_to_half(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a graph of float32 with every weight and every operator's result rounded to float16."""
    half = onnx.shape_inference.infer_shapes(graph)
    described = (*half.graph.value_info, *half.graph.output)
    floats = {v.name for v in described if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    for tensor in half.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            with np.errstate(over="ignore"):  # an overflow shows in the output
                values = values.astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    nodes = []
    for node in half.graph.node:
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name in floats:
                single, rounded = f"{name}.single", f"{name}.half"
                node.output[place] = single
                nodes += [
                    helper.make_node("Cast", [single], [rounded], to=TensorProto.FLOAT16),
                    helper.make_node("Cast", [rounded], [name], to=TensorProto.FLOAT),
                ]
    replace_nodes(half, nodes)
    return half
