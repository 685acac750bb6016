"""An .onnx file as a graph that can be truncated."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx.utils import Extractor

from seaformer.artifact.metadata import MappedOperator
from seaformer.benchmark.breakdown.graph import Graph, Operator, modules_of
from seaformer.benchmark.breakdown.macs import macs

Shape = tuple[int, ...]

ACTIVATIONS = ("Relu", "Clip")
"""Nodes that runtimes, and the converter to .tflite, fuse into the node before: in a breakdown they
belong to the module of that node."""


class OnnxGraph(Graph):
    """An ONNX graph; keys of tensors are their names."""

    def __init__(self, path: Path, mapped: Sequence[MappedOperator]) -> None:
        model = onnx.load(path)
        self._model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        graph = self._model.graph
        modules = modules_of(path, [node.op_type for node in graph.node], mapped)
        shapes = _shapes(graph)
        weights = {tensor.name for tensor in graph.initializer}
        self.input = next(t.name for t in graph.input if t.name not in weights)
        self.outputs = tuple(tensor.name for tensor in graph.output)
        of_tensor: dict[str, str] = {}
        for index, node in enumerate(graph.node):
            if node.op_type in ACTIVATIONS:
                modules[index] = of_tensor.get(node.input[0], modules[index])
            of_tensor.update(dict.fromkeys(node.output, modules[index]))
        self.operators = tuple(
            _operator(index, node, module, shapes, weights)
            for index, (node, module) in enumerate(zip(graph.node, modules, strict=True))
        )
        self.nodes = {
            node.name: operator for node, operator in zip(graph.node, self.operators, strict=True)
        }

    def truncated(self, outputs: Sequence[str]) -> bytes:
        """Return a model file that computes these tensors from the same input."""
        extracted = Extractor(self._model).extract_model([self.input], list(outputs))
        data: bytes = extracted.SerializeToString()
        return data


def _shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    found: dict[str, Shape] = {t.name: tuple(t.dims) for t in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        found[value.name] = tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
    return found


def _operator(
    index: int, node: onnx.NodeProto, module: str, shapes: Mapping[str, Shape], weights: set[str]
) -> Operator:
    inputs = [shapes.get(name, ()) for name in node.input]
    return Operator(
        index=index,
        type=node.op_type,
        name=node.output[0],
        module=module,
        inputs=tuple(name for name in node.input if name and name not in weights),
        outputs=tuple(node.output),
        macs=macs(node.op_type, inputs, shapes.get(node.output[0], ())),
    )
