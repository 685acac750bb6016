"""A .tflite file as a graph that can be truncated."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.artifact.metadata import MappedOperator
from seaformer.benchmark.breakdown.graph import Graph, Operator, modules_of
from seaformer.benchmark.breakdown.macs import macs
from seaformer.runtimes.tflite_flatbuffer import operator_types, pack, parse

_NO_ACTIVATION = schema.ActivationFunctionType.NONE


class TFLiteGraph(Graph):
    """The main subgraph of a .tflite file; keys of tensors are their indices."""

    def __init__(self, path: Path, mapped: Sequence[MappedOperator]) -> None:
        self._data = path.read_bytes()
        parsed = parse(self._data)
        graph = parsed.subgraphs[0]
        types = operator_types(parsed)
        modules = modules_of(path, types, mapped)
        weights = {
            number
            for number, tensor in enumerate(graph.tensors)
            if parsed.buffers[tensor.buffer].data is not None
        }
        self.input = str(graph.inputs[0])
        self.outputs = tuple(str(number) for number in graph.outputs)
        self.operators = tuple(
            _operator(index, kind, module, graph, weights)
            for index, (kind, module) in enumerate(zip(types, modules, strict=True))
        )

    def truncated(self, outputs: Sequence[str]) -> bytes:
        """Return a model file that computes these tensors from the same input."""
        parsed = parse(self._data)
        graph = parsed.subgraphs[0]
        graph.operators = [graph.operators[index] for index in self.needed_for(outputs)]
        graph.outputs = np.array([int(name) for name in outputs], np.int32)
        _keep_tensors(graph)
        parsed.subgraphs = [graph]
        # Signatures and metadata name removed tensors, and describe the complete file.
        parsed.signatureDefs = parsed.metadata = parsed.metadataBuffer = None
        used = {tensor.buffer for tensor in graph.tensors}
        for number, buffer in enumerate(parsed.buffers):
            if number not in used:
                buffer.data = None
        return pack(parsed)


def _operator(
    index: int, kind: str, module: str, graph: schema.SubGraphT, weights: set[int]
) -> Operator:
    stored = graph.operators[index]
    shapes = [_shape(graph, number) for number in stored.inputs if number >= 0]
    first = int(stored.outputs[0])
    activation = getattr(stored.builtinOptions, "fusedActivationFunction", _NO_ACTIVATION)
    return Operator(
        index=index,
        type=kind,
        name=graph.tensors[first].name.decode(),
        module=module,
        inputs=tuple(str(n) for n in stored.inputs if n >= 0 and n not in weights),
        outputs=tuple(str(n) for n in stored.outputs),
        macs=macs(kind, shapes, _shape(graph, first)),
        has_activation=activation != _NO_ACTIVATION,
    )


def _shape(graph: schema.SubGraphT, number: int) -> tuple[int, ...]:
    shape = graph.tensors[number].shape
    return () if shape is None else tuple(int(side) for side in shape)


def _keep_tensors(graph: schema.SubGraphT) -> None:
    """Remove unreferenced tensors, and renumber the others."""
    used = {int(n) for n in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        used.update(int(n) for n in (*operator.inputs, *operator.outputs) if n >= 0)
    kept = sorted(used)
    numbers = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[old] for old in kept]
    graph.inputs = _renumbered(graph.inputs, numbers)
    graph.outputs = _renumbered(graph.outputs, numbers)
    for operator in graph.operators:
        operator.inputs = _renumbered(operator.inputs, numbers)
        operator.outputs = _renumbered(operator.outputs, numbers)


def _renumbered(tensors: Sequence[int], numbers: Mapping[int, int]) -> "np.ndarray[Any, Any]":
    return np.array([numbers[int(n)] for n in tensors], np.int32)
