"""Reading and completing a graph written by onnxruntime.quantization."""

from collections.abc import Sequence

from onnx import GraphProto, NodeProto, TensorProto

from seaformer.artifact.metadata import MappedOperator
from seaformer.export.quantize.onnx_kernels import FOLLOWING_TYPES, WEIGHTED_TYPES

CONVERTING_TYPES = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast")
INTEGER_TYPES = ("ConvInteger", "MatMulInteger")


def take_and_give_integers(graph: GraphProto) -> None:
    """Remove the conversions at the input and output, so that both are integers.

    An output that is not converted stays in floating point.
    """
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    entry, end = graph.input[0], graph.output[0]
    (taken,) = (n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == entry.name)
    (given,) = (n for n in graph.node if n.output[0] == end.name)
    gives_integers = given.op_type == "DequantizeLinear"
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == taken.output[0]:
            node.input[0] = entry.name
        elif gives_integers and node.output[0] == given.input[0]:
            node.output[0] = end.name
    for tensor, converted in ((entry, taken), *([(end, given)] if gives_integers else [])):
        tensor.type.tensor_type.elem_type = stored[converted.input[2]]  # of its zero point
        graph.node.remove(converted)


def float_nodes(graph: GraphProto, every_type: bool) -> list[int]:
    """Indices of the nodes that are computed in floating point.

    A node between conversions from and to integers counts as integer even if it was to stay in
    floating point: the values are the same.

    Args:
        graph: after quantization.
        every_type: whether there are integer kernels for every type of operator, as on an NPU;
            otherwise ONNX Runtime's kernels are assumed.
    """
    stored = {tensor.name for tensor in graph.initializer}
    given_by = {name: node.op_type for node in graph.node for name in node.output}
    taken_by: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            taken_by.setdefault(name, set()).add(node.op_type)

    def is_integer(node: NodeProto) -> bool:
        taken = [name for name in node.input if name and name not in stored]
        return node.op_type in INTEGER_TYPES or (
            (every_type or node.op_type in (*WEIGHTED_TYPES, *FOLLOWING_TYPES))
            and all(given_by.get(name) == "DequantizeLinear" for name in taken)
            and all(taken_by.get(name) == {"QuantizeLinear"} for name in node.output)
        )

    return [
        index
        for index, node in enumerate(graph.node)
        if node.op_type not in CONVERTING_TYPES and not is_integer(node)
    ]


def wide_nodes(graph: GraphProto) -> list[int]:
    """Indices of the nodes with 16-bit activations, without conversions."""
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    wide = {
        node.input[0]
        for node in graph.node
        if node.op_type == "QuantizeLinear" and stored[node.input[2]] == TensorProto.UINT16
    }
    return [
        index
        for index, node in enumerate(graph.node)
        if node.op_type not in CONVERTING_TYPES and not wide.isdisjoint(node.output)
    ]


def map_like(
    graph: GraphProto, single: GraphProto, operators: Sequence[MappedOperator]
) -> list[MappedOperator]:
    """Map the nodes of a quantized graph to modules.

    A conversion belongs to the module of its consumer, or of its producer if nothing consumes it.
    `operators` are the nodes of the original single-precision graph with their modules.
    """
    places = {node.name: place for place, node in enumerate(single.node)}
    single_producers = {n: place for place, node in enumerate(single.node) for n in node.output}

    def origins(node: NodeProto) -> list[int]:
        """Indices in `single` of the nodes that a node replaces; for a Conv also its activation."""
        if node.op_type in CONVERTING_TYPES:
            return []
        first = places.get(node.name)
        if first is None:  # the last of several nodes that replace one
            return [single_producers[name] for name in node.output if name in single_producers]
        found = [single_producers.get(node.output[0], first)]
        while found[0] != first:
            found.insert(0, single_producers[single.node[found[0]].input[0]])
        return found

    consumers = {name: i for i, node in reversed([*enumerate(graph.node)]) for name in node.input}
    producers = {name: i for i, node in enumerate(graph.node) for name in node.output}
    computed = [origins(node) for node in graph.node]
    modules = {index: operators[found[0]].module for index, found in enumerate(computed) if found}
    for index, node in reversed([*enumerate(graph.node)]):
        taking = [consumers[name] for name in node.output if consumers.get(name) in modules]
        if index not in modules and taking:
            modules[index] = modules[min(taking)]
    for index, node in enumerate(graph.node):
        if index not in modules:
            modules[index] = modules[producers[node.input[0]]]
    return [
        MappedOperator(
            index=index,
            type=node.op_type,
            module=modules[index],
            nodes=tuple(single.node[place].name for place in computed[index]),
        )
        for index, node in enumerate(graph.node)
    ]
