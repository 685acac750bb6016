"""Extracting operators of an .onnx as a separate model.

In a quantized file, a node together with the conversions around it is one operator that reads and
returns integers, as in the runtime. A requantization is an operator too. Stored tensors stay inside
the model. A tensor that is both computed and fed exists twice, see `tflite_extraction`.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper

from seaformer.extraction.graph_description import GraphDescription, GraphOperator, GraphTensor
from seaformer.runtimes.onnx_runtime import integer_scales

TAKING, GIVING = "DequantizeLinear", "QuantizeLinear"


@dataclass(frozen=True)
class _Group:
    """The nodes of one operator, in order.

    Attributes:
        place: index of the computing node in the file.
        nodes: that node, with the conversions before and after it.
        inputs: names of its inputs that depend on an input of the file.
        outputs: names of its outputs.
    """

    place: int
    nodes: tuple[NodeProto, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxExtraction:
    """Creates models of the operators of one file.

    Attributes:
        description: description of the file; its tensors are identified by name.
    """

    def __init__(self, path: Path) -> None:
        self._model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
        graph = self._model.graph
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._groups = {group.place: group for group in _groups(graph, self._stored)}
        names = dict.fromkeys(tensor.name for tensor in graph.input)
        for group in self._groups.values():
            names |= dict.fromkeys((*group.inputs, *group.outputs))
        self._names = list(names)
        self._ports = {one.name: one for one in (*graph.input, *graph.value_info, *graph.output)}
        self._integer_types = {
            name: self._stored[node.input[2]].data_type
            for node in graph.node
            if node.op_type in (TAKING, GIVING) and node.input[2] in self._stored
            for name in (node.input[0] if node.op_type == TAKING else node.output[0],)
        }
        self.description = self._describe()

    def extract(
        self,
        operators: Sequence[int],
        fed: Collection[int],
        wanted: Collection[int],
        gives_constants: bool = False,  # noqa: ARG002
    ) -> tuple[bytes, list[int], list[int], list[str]]:
        """Create a model of selected operators; see `tflite_extraction.extract`.

        Constants never become inputs, because `inputs` of operators do not include them.
        """
        description = self.description
        chosen = [one for one in description.operators if one.index in set(operators)]
        nodes: list[NodeProto] = []
        computed: set[int] = set()
        given: dict[int, str] = {}
        for one in chosen:
            names = {}
            for tensor in one.inputs:
                if tensor in fed or tensor not in computed:
                    given.setdefault(tensor, f"given_{len(given)}:{self._names[tensor]}")
                    names[self._names[tensor]] = given[tensor]
            nodes += _renamed(self._groups[one.index], names)
            computed.update(one.outputs)
        returned = [
            tensor
            for one in chosen
            for tensor in one.outputs
            if (tensor in wanted if wanted else description.is_needed_outside(tensor, chosen, fed))
        ]
        used = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "extract",
            [self._port(tensor, name) for tensor, name in given.items()],
            [self._port(tensor, self._names[tensor]) for tensor in returned],
            [tensor for name, tensor in self._stored.items() if name in used],
        )
        model = helper.make_model(
            graph,
            opset_imports=self._model.opset_import,
            ir_version=self._model.ir_version,
        )
        return (
            model.SerializeToString(),
            list(given),
            returned,
            [self._names[tensor] for tensor in returned],
        )

    def _describe(self) -> GraphDescription:
        graph = self._model.graph
        places = {name: index for index, name in enumerate(self._names)}
        scales = integer_scales(graph)
        tensors = []
        for index, name in enumerate(self._names):
            scale = scales.get(name)
            port = self._port(index, name)
            tensors.append(
                GraphTensor(
                    index,
                    name,
                    tuple(side.dim_value for side in port.type.tensor_type.shape.dim),
                    str(helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)),
                    0.0 if scale is None else scale.scale,
                    0 if scale is None else scale.zero_point,
                )
            )
        operators = tuple(
            GraphOperator(
                group.place,
                graph.node[group.place].op_type,
                tuple(places[name] for name in group.inputs),
                tuple(places[name] for name in group.outputs),
                self._kind(group),
            )
            for group in self._groups.values()
        )
        return GraphDescription(
            tuple(tensors),
            operators,
            tuple(places[tensor.name] for tensor in graph.input),
            tuple(places[tensor.name] for tensor in graph.output),
            has_names=True,
        )

    def _port(self, tensor: int, name: str) -> onnx.ValueInfoProto:
        """Return dtype and shape of a tensor, under a name."""
        own = self._names[tensor]
        port = onnx.ValueInfoProto()
        port.CopyFrom(self._ports[own])
        port.name = name
        if own in self._integer_types:
            port.type.tensor_type.elem_type = self._integer_types[own]
        return port

    def _kind(self, group: _Group) -> str:
        """Return a digest of everything that determines the kernel, without values of weights."""
        hashed: list[object] = []
        for node in group.nodes:
            hashed.append((node.op_type, [a.SerializeToString() for a in node.attribute]))
            for name in node.input:
                if name in self._stored:
                    tensor = self._stored[name]
                    is_index = tensor.data_type == TensorProto.INT64
                    values = tensor.raw_data if is_index else b""
                    hashed.append((tensor.data_type, tuple(tensor.dims), values))
        for name in (*group.inputs, *group.outputs):
            hashed.append(self._port(self._names.index(name), "").SerializeToString())
        return hashlib.sha256(repr(hashed).encode()).hexdigest()


def _groups(graph: onnx.GraphProto, stored: Collection[str]) -> Iterable[_Group]:
    """Group the nodes by operator, for all operators that depend on an input of the file."""
    producers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    ends = {tensor.name for tensor in graph.output}

    def is_constant(name: str) -> bool:
        if not name or name in stored:
            return True
        node = producers.get(name)
        return node is not None and all(map(is_constant, node.input))

    for place, node in enumerate(graph.node):
        before = [producers[n] for n in node.input if n in producers]
        taking = [one for one in before if one.op_type == TAKING and node.op_type != TAKING]
        if all(map(is_constant, node.input)):
            continue
        if node.op_type == GIVING and before and before[0].op_type != TAKING:
            continue  # it belongs to the node before it
        if node.op_type == TAKING and node.output[0] not in ends:
            continue  # it belongs to the nodes after it
        behind = [user for name in node.output for user in users.get(name, ())]
        giving = [] if node.op_type == GIVING else [b for b in behind if b.op_type == GIVING]
        converted = {one.input[0]: one.output[0] for one in giving}
        taken = {one.output[0]: one.input[0] for one in taking}
        inputs = (taken.get(name, name) for name in node.input if not is_constant(name))
        yield _Group(
            place,
            (*{id(one): one for one in taking}.values(), node, *giving),
            tuple(dict.fromkeys(inputs)),
            tuple(converted.get(name, name) for name in node.output),
        )


def _renamed(group: _Group, names: dict[str, str]) -> list[NodeProto]:
    """Copy the nodes with renamed inputs; conversions before them get unique names."""
    renamed = []
    for node in group.nodes:
        copied = NodeProto()
        copied.CopyFrom(node)
        for place, name in enumerate(node.input):
            copied.input[place] = names.get(name, name)
        if node.op_type == TAKING and node is not group.nodes[-1]:
            names[node.output[0]] = copied.output[0] = f"{node.output[0]}_for_{group.place}"
            copied.name = f"{node.name}_for_{group.place}"
        renamed.append(copied)
    return renamed
