"""The integer types of the activations of an ONNX graph with mixed widths.

An NPU computes each operator at one width. A tensor is stored at the width of the operator that
computes it, and converted for consumers of another width.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto
from onnxruntime.quantization import QuantType

from seaformer.export.quantize.onnx_kernels import WEIGHTED_TYPES

Overrides = dict[str, list[dict[str, Any]]]
"""`TensorQuantOverrides` of onnxruntime.quantization, by the tensor's name."""

TYPES = {8: QuantType.QUInt8, 16: QuantType.QUInt16}
"""Type of activations by width in bits.

Qualcomm's NPU does not support signed 16-bit activations, and signed 8-bit ones have no advantage.
"""

BOUNDED = {"Softmax": (0.0, 1.0)}
"""Operator types whose output range is known without calibration."""

FIXED_IN_16_BITS = {
    "Sigmoid": {"scale": np.array(2**-16, np.float32), "zero_point": np.array(0, np.uint16)},
    "Tanh": {"scale": np.array(2**-15, np.float32), "zero_point": np.array(2**15, np.uint16)},
}
"""Operator types whose outputs Qualcomm's NPU supports with this scale only."""


def bounded_ranges(graph: GraphProto) -> dict[str, tuple[float, float]]:
    """Ranges of the activations that are known without calibration, by name."""
    return {node.output[0]: BOUNDED[node.op_type] for node in graph.node if node.op_type in BOUNDED}


def split_constants(graph: GraphProto, wide: Collection[int]) -> None:
    """Duplicate constants shared by nodes of different widths, in place."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    users: dict[str, set[bool]] = {}
    for index, node in enumerate(graph.node):
        for name in node.input:
            users.setdefault(name, set()).add(index in wide)
    shared = {name for name in stored if len(users.get(name, ())) > 1}
    copies: dict[str, TensorProto] = {}
    for index in wide:
        node = graph.node[index]
        for place, name in enumerate(node.input):
            if name in shared:
                if name not in copies:
                    copies[name] = graph.initializer.add()
                    copies[name].CopyFrom(stored[name])
                    copies[name].name = f"{name}_16bit"
                node.input[place] = copies[name].name


def type_overrides(graph: GraphProto, widths: Mapping[int, int], entry_bits: int) -> Overrides:
    """Return the type of each activation, and the conversions for consumers of another width.

    Args:
        graph: nodes of different widths share no constant, see `split_constants`.
        widths: bits of the activations of each quantized node, by its index.
        entry_bits: bits of the input of the graph.
    """
    stored = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    own = {graph.input[0].name: entry_bits}
    takers: dict[str, dict[int, set[str]]] = {}
    overrides: Overrides = {}
    for index, bits in widths.items():
        node = graph.node[index]
        own |= dict.fromkeys(node.output, bits)
        for name in node.input:
            if name not in stored:
                takers.setdefault(name, {}).setdefault(bits, set()).add(node.name)
            elif node.op_type not in WEIGHTED_TYPES:
                overrides[name] = [{"quant_type": TYPES[bits]}]
    for name, bits in own.items():
        override: dict[str, Any] = {"quant_type": TYPES[bits]}
        for other, nodes in takers.get(name, {}).items():
            if other != bits:
                override["convert"] = {"quant_type": TYPES[other], "recv_nodes": nodes}
        overrides[name] = [override]
    for index, bits in widths.items():
        node = graph.node[index]
        if bits == 16 and node.op_type in FIXED_IN_16_BITS:
            overrides[node.output[0]][0] |= FIXED_IN_16_BITS[node.op_type]
    return overrides
