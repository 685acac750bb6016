"""Mapping the operators of an exported file to the modules of the network.

ONNX nodes carry the module path in their names. The operators of a TFLite file do not, so they are
matched to the ONNX nodes by their values: both files are run on the same image, recording every
intermediate tensor, and an operator whose output has the same values as an ONNX tensor, in any
layout, computes that tensor. It then owns every ONNX node on which the tensor depends and which no
earlier operator owns: a CONV_2D with a fused RELU6 owns a Conv and a Clip.

Operators whose output exists in one file only (a PAD that ONNX has inside its Conv, the DEQUANTIZE
of a stored weight) belong to the operator that consumes them. The last operator must match the
graph's output and no node may remain unmatched; otherwise an error is raised.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx

from seaformer.artifact.metadata import MappedOperator
from seaformer.errors import SeaformerError
from seaformer.export.convert import tflite_file
from seaformer.export.convert.tflite_file import CONVERSIONS, Operator
from seaformer.runtimes import open_content
from seaformer.runtimes.tflite_flatbuffer import parse

_HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Node types that determine the module of an operator that owns several nodes."""

_BATCH = 48
"""Tensors fetched per run: limits the memory at the cost of a few more runs."""


def module_path(node_name: str, modules: Collection[str]) -> str:
    """Return the path of the module that contains a node, one of `modules`.

    `/stem/stage1.0/expand/Conv` becomes `stem.stage1.0.expand`. The exporter has four
    peculiarities. It writes the container before a number, even inside the container's own call
    (`/features/features.0/Conv` is `features.0`, and `/a/a.1/a.1.2/Conv` is `a.1.2`). It numbers
    repeated calls of a module (`/act_1/Relu` is the second call of `act`). It omits modules that
    are not called themselves (`self.trunk.layer1(x)` gives `/layer1/...`); if this is ambiguous,
    the common parent is returned. A module that several others share, and its parent as well, is
    written by its name in the parent (`/blocks.0/pos/Conv` is `pos`).

    Raises:
        SeaformerError: the name does not match any module.
    """
    path = ""
    for scope in node_name.strip("/").split("/")[:-1]:
        inside = f"{path}." if path else ""
        names = (scope, re.sub(r"_\d+$", "", scope))
        parts = [f"{base}{name}" for base in _ancestors(path) for name in names]
        found = next((p for p in parts if p in modules and p.startswith(inside)), None)
        if found is None:
            deeper = tuple(f".{name}" for name in names)
            meant = [p for p in modules if p.startswith(inside) and p.endswith(deeper)]
            meant = meant or [p for p in parts if p in modules][:1]
            if not meant:
                raise SeaformerError(f"ONNX node '{node_name}' belongs to no module of the model")
            if len(meant) > 1:
                break
            (found,) = meant
        path = found
    return path


def _ancestors(path: str) -> list[str]:
    """The module at `path` and its parents, innermost first, as prefixes for submodules."""
    parts = path.split(".") if path else []
    return ["".join(f"{part}." for part in parts[:end]) for end in range(len(parts), -1, -1)]


def map_onnx(graph: onnx.ModelProto, modules: Collection[str]) -> list[MappedOperator]:
    """Map the nodes of an ONNX graph, whose names contain the modules.

    The Cast of a stored half-precision weight belongs to the node that consumes it. `modules` are
    the paths of all modules of the model that the graph was traced from.
    """
    stored = {tensor.name for tensor in graph.graph.initializer}
    consumers = {name: node for node in reversed(graph.graph.node) for name in node.input}
    return [
        MappedOperator(
            index=index,
            type=node.op_type,
            module=module_path(
                consumers[node.output[0]].name if node.input[0] in stored else node.name, modules
            ),
            nodes=(node.name,),
        )
        for index, node in enumerate(graph.graph.node)
    ]


def map_operators(
    flatbuffer: bytes, graph: onnx.ModelProto, modules: Collection[str], image: np.ndarray
) -> list[MappedOperator]:
    """Map the operators of a single-precision TFLite file.

    Args:
        flatbuffer: the file.
        graph: the ONNX graph that it was converted from.
        modules: path of every module of the model that the graph was traced from.
        image: input for both, float32 [1, 3, H, W] in the model's input range. Other values
            saturate activations, and tensors that are mostly zero are hard to distinguish.

    Raises:
        SeaformerError: an operator or a node remains unmatched.
    """
    operators = tflite_file.operators(flatbuffer)
    tensors, values = _fingerprints_of_both(flatbuffer, operators, graph, image)
    trace = _Trace(graph)
    # TFLite tensor -> the ONNX tensors with equal values. If there are none, the tensor stands for
    # the tensors it was computed from; a weight stands for none.
    present = _present(tensors.values(), values)
    entry = int(parse(flatbuffer).subgraphs[0].inputs[0])
    equals = {entry: frozenset({graph.graph.input[0].name})}
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for operator in operators:
        available = frozenset[str]().union(*(equals.get(t, ()) for t in operator.inputs))
        matched: list[str] = []
        for tensor in operator.outputs:
            equal = [name for name, value in values.items() if tensors[str(tensor)].matches(value)]
            same = trace.nearest([name for name in equal if trace.frontier(name) <= available])
            same = trace.direct(same, present.difference(equal))
            # Two nodes can compute the same values, such as two slices: the first operator owns
            # both, and the second stands for them too.
            done = {name for name in equal if trace.frontier(name) == {name}}
            equals[tensor] = frozenset(same) or available | done
            matched += same
        if matched:
            nodes = trace.own(matched)
            heavy = [node for node in nodes if node.op_type in _HEAVY]
            leading = (heavy or nodes or [trace.producers[matched[-1]]])[0]
            owned = tuple(node.name for node in nodes)
            found[operator.index] = (module_path(leading.name, modules), owned)
    left = [node.name for node in graph.graph.node if node.name not in trace.owned]
    if left:
        raise SeaformerError(
            f"{len(left)} of the ONNX graph's {len(graph.graph.node)} nodes match no operator of "
            f"the TFLite file, for example '{left[0]}': the files do not compute the same values."
        )
    return _complete(operators, found)


def first_different(
    flatbuffer: bytes, graph: onnx.ModelProto, image: np.ndarray
) -> onnx.NodeProto | None:
    """Find the first ONNX node that a TFLite file computes differently.

    Neither its values nor the values of any node that depends on it occur in the file. The result
    is None if the two files differ only by rounding. The arguments are as in `map_operators`.
    """
    operators = tflite_file.operators(flatbuffer)
    tensors, values = _fingerprints_of_both(flatbuffer, operators, graph, image)
    present = _present(tensors.values(), values)
    different = None
    needed: set[str] = set()
    for node in reversed(graph.graph.node):
        for name in node.output:
            if name in needed or name in present:
                needed.update(node.input)
                break
        else:
            different = node
    return different


def _fingerprints_of_both(
    flatbuffer: bytes, operators: Sequence[Operator], graph: onnx.ModelProto, image: np.ndarray
) -> "tuple[dict[str, Fingerprint], dict[str, Fingerprint]]":
    """Run both files; return operators' outputs by number, and nodes' outputs by name."""
    numbers = [str(tensor) for operator in operators for tensor in operator.outputs]
    channels_last = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    tensors = _fingerprints(flatbuffer, ".tflite", numbers, channels_last)
    names = [name for node in graph.graph.node for name in node.output]
    return tensors, _fingerprints(graph.SerializeToString(), ".onnx", names, image)


def _present(tensors: "Iterable[Fingerprint]", values: "Mapping[str, Fingerprint]") -> set[str]:
    """Names of the ONNX tensors whose values occur in the TFLite file."""
    of_size: dict[int, list[Fingerprint]] = {}
    for fingerprint in tensors:
        of_size.setdefault(fingerprint.size, []).append(fingerprint)
    return {
        name
        for name, value in values.items()
        if any(found.matches(value) for found in of_size.get(value.size, ()))
    }


def _fingerprints(
    model: bytes, suffix: str, keys: Sequence[str], x: np.ndarray
) -> "dict[str, Fingerprint]":
    """Run a file and compute the fingerprints of intermediate tensors."""
    found: dict[str, Fingerprint] = {}
    with open_content(model, suffix, threads=os.cpu_count() or 1) as session:
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            for key, tensor in zip(batch, session.fetch(batch, [x]), strict=True):
                found[key] = Fingerprint.of(tensor)
    return found


def map_tflite_like(
    operators: list[Operator], reference: list[MappedOperator]
) -> list[MappedOperator]:
    """Map the operators of a file that differs from a mapped file only in its number formats.

    Both must have the same operators in the same order, except for conversions.

    Raises:
        SeaformerError: the operators differ.
    """
    computing = [operator for operator in operators if operator.type not in CONVERSIONS]
    if [operator.type for operator in computing] != [mapped.type for mapped in reference]:
        raise SeaformerError(
            "the operators of the converted file differ from the single-precision file's, so their "
            "modules are unknown"
        )
    found = {
        operator.index: (mapped.module, mapped.nodes)
        for operator, mapped in zip(computing, reference, strict=True)
    }
    return _complete(operators, found)


def _complete(
    operators: list[Operator], found: Mapping[int, tuple[str, tuple[str, ...]]]
) -> list[MappedOperator]:
    """Assign unmatched operators to the module of their consumer.

    A conversion at the end of the graph, which has no consumer, gets the module of its producer.
    """
    consumers = {tensor: op.index for op in reversed(operators) for tensor in op.inputs}
    producers = {tensor: op.index for op in operators for tensor in op.outputs}
    mapped: dict[int, MappedOperator] = {}
    for operator in reversed(operators):
        if operator.index in found:
            module, nodes = found[operator.index]
        elif operator.outputs[0] in consumers:
            module, nodes = mapped[consumers[operator.outputs[0]]].module, ()
        elif operator.type in CONVERSIONS and producers.get(operator.inputs[0]) in found:
            module, nodes = found[producers[operator.inputs[0]]][0], ()
        else:
            raise SeaformerError(
                f"operator {operator.index} ({operator.type}) of the TFLite file matches no tensor "
                "of the ONNX graph and has no consumer"
            )
        mapped[operator.index] = MappedOperator(
            index=operator.index, type=operator.type, module=module, nodes=nodes
        )
    return [mapped[operator.index] for operator in operators]


class _Trace:
    """Tracks which nodes of the graph are owned, and the dependencies of the others."""

    def __init__(self, graph: onnx.ModelProto) -> None:
        self.producers = {name: node for node in graph.graph.node for name in node.output}
        self.owned: set[str] = set()
        # For a node with several outputs, such as Split, TFLite may have one operator per output.
        self._computed: set[str] = set()
        self._inputs = {tensor.name for tensor in graph.graph.input}
        self._nodes = {node.name: node for node in graph.graph.node}

    def own(self, tensors: Iterable[str]) -> list[onnx.NodeProto]:
        """Mark the nodes that compute `tensors` as owned, and list them in the graph's order."""
        tensors = list(tensors)
        nodes, _ = self._walk(tensors)
        self._computed.update(tensors)
        self.owned.update(nodes)
        return [node for name, node in self._nodes.items() if name in nodes]

    def frontier(self, tensor: str) -> set[str]:
        """The owned tensors and graph inputs that `tensor` depends on, or itself if owned."""
        return self._walk([tensor])[1]

    def nearest(self, tensors: Sequence[str]) -> list[str]:
        """Of tensors with equal values, omit those that are several layers deeper than others.

        One operator computes at most one layer. Norms of successive blocks have nearly the same
        moments if the blocks between them change little, as in a network before its training.
        """
        layers = {tensor: self._layers(tensor) for tensor in tensors}
        most = max(1, min(layers.values(), default=0))
        return [tensor for tensor in tensors if layers[tensor] <= most]

    def direct(self, tensors: Sequence[str], others: Collection[str]) -> list[str]:
        """Of tensors with equal values, omit those that depend on a tensor that is computed later.

        The tokens behind a class token have the values that they had before it was joined to them;
        the operator that computes these does not compute the joined ones.

        Args:
            tensors: names of the tensors.
            others: tensors with other values, which occur in the TFLite file.
        """
        found = []
        for tensor in tensors:
            nodes, _ = self._walk([tensor])
            outputs = {name for node in nodes for name in self._nodes[node].output}
            if outputs.isdisjoint(others):
                found.append(tensor)
        return found or list(tensors)

    def _layers(self, tensor: str) -> int:
        return sum(self._nodes[name].op_type in _HEAVY for name in self._walk([tensor])[0])

    def _walk(self, tensors: Iterable[str]) -> tuple[set[str], set[str]]:
        """Walk back from `tensors` through unowned nodes; return them and the tensors reached."""
        nodes: set[str] = set()
        frontier: set[str] = set()
        waiting = list(tensors)
        while waiting:
            tensor = waiting.pop()
            node = self.producers.get(tensor)
            if node is None:
                if tensor in self._inputs:
                    frontier.add(tensor)
            elif node.name in self.owned:
                if len(node.output) > 1 and tensor not in self._computed:
                    waiting += node.input
                else:
                    frontier.add(tensor)
            elif node.name not in nodes:
                nodes.add(node.name)
                waiting += node.input
        return nodes, frontier


@dataclass(frozen=True)
class Fingerprint:
    """Moments of a tensor, which are independent of its layout."""

    size: int
    total: float
    magnitude: float
    energy: float
    largest: float
    smallest: float

    TOLERANCE: ClassVar[float] = 1e-4
    """Far above the rounding of float32 kernels, far below the differences between tensors."""

    @classmethod
    def of(cls, array: np.ndarray) -> "Fingerprint":
        """Compute the moments of an array, in float64."""
        values = np.asarray(array, dtype=np.float64).ravel()
        return cls(
            size=values.size,
            total=float(values.sum()),
            magnitude=float(np.abs(values).sum()),
            energy=float(np.square(values).sum()),
            largest=float(values.max()),
            smallest=float(values.min()),
        )

    def matches(self, other: "Fingerprint") -> bool:
        """Whether both may be the same tensor, computed by two runtimes."""
        if self.size != other.size:
            return False
        peak = max(abs(self.largest), abs(self.smallest))
        return (
            abs(self.magnitude - other.magnitude) <= self.TOLERANCE * self.magnitude
            and abs(self.total - other.total) <= self.TOLERANCE * self.magnitude
            and abs(self.energy - other.energy) <= self.TOLERANCE * self.energy
            and abs(self.largest - other.largest) <= 10 * self.TOLERANCE * peak
            and abs(self.smallest - other.smallest) <= 10 * self.TOLERANCE * peak
        )
