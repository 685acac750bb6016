"""Quantizing a single-precision ONNX graph with onnxruntime.quantization.

`int8` inserts pairs of QuantizeLinear and DequantizeLinear (QDQ): activations uint8, weights int8
per channel. ONNX Runtime fuses the pairs with the operators between them when it loads the file.
Input and output are uint8; an output with values of different ranges is float32.

`w8a8` and `w8a16` have such pairs at every operator, as required by NPUs without floating point;
the activations of `w8a16`, and of kept operators in `w8a8`, are uint16.

`dynamic-int8` uses ONNX Runtime's ConvInteger. Its weights are uint8 per tensor: it does not
support scales per channel, and int8 weights took four times as long.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version

import numpy as np
import onnx

from seaformer.artifact.embedding import serialize
from seaformer.artifact.metadata import MappedOperator
from seaformer.artifact.precisions import PRECISIONS
from seaformer.export.convert.onnx_graph import silence, with_half_weights
from seaformer.export.quantize.activation_types import (
    TYPES,
    bounded_ranges,
    split_constants,
    type_overrides,
)
from seaformer.export.quantize.engine import Port, left_alone
from seaformer.export.quantize.onnx_kernels import (
    DYNAMIC_TYPES,
    clips_off_zero,
    weight_steps,
    without_integer_kernel,
)
from seaformer.export.quantize.qdq_graph import (
    float_nodes,
    map_like,
    take_and_give_integers,
    wide_nodes,
)
from seaformer.quantization.ranges import Activation, collect
from seaformer.runtimes import open_content
from seaformer.runtimes.onnx_runtime import integer_scales
from seaformer.temporary_folders import temporary_folder

BYTES = (0.0, 255.0)


class OnnxEngine:
    """See `Engine`. Takes a single-precision graph with static shapes and constant initializers.

    Inputs and outputs of integer operators are rounded to 8 bits, also for floating-point operators
    that share them. `input_range` is the smallest and largest input value: (0, 255) if the file
    normalizes the image itself; the input is then the bytes of the image. `unequal` is as in
    `Engine`.
    """

    def __init__(
        self,
        graph: onnx.ModelProto,
        operators: Sequence[MappedOperator],
        input_range: tuple[float, float],
        unequal: frozenset[int] = frozenset(),
    ) -> None:
        self.graph = graph
        self.operators = operators
        self.unequal = unequal
        self.always_float = without_integer_kernel(graph) | unequal
        self.ranges: Mapping[str, tuple[float, float]] = {}
        self.title = f"onnxruntime.quantization {version('onnxruntime')}"
        self.producers: Mapping[str, int] = {
            name: index for index, node in enumerate(graph.graph.node) for name in node.output
        }
        self.consumed: Sequence[Sequence[str]] = [
            [name for name in node.input if name in self.producers] for node in graph.graph.node
        ]
        self._input_range = input_range
        self._off_zero = clips_off_zero(graph)
        self._weight_steps = {bits: weight_steps(graph, bits) for bits in TYPES}

    def observe(self, inputs: Iterable[np.ndarray]) -> dict[str, Activation]:
        """Run the graph on images and record every tensor that may be quantized; see `Engine`."""
        return collect(self._activations(inputs))

    def quantize(self, precision: str, kept: Collection[int] = ()) -> bytes:
        """Return the quantized model; see `Engine`."""
        row = PRECISIONS[precision]
        every = range(len(self.graph.graph.node))
        left = left_alone(self, precision, kept)
        with silence():
            if row.integer_activation_bits is None:
                model = self._dynamic([index for index in every if index not in left])
            elif row.keeps_16_bits:
                model = self._static({index: 16 if index in left else 8 for index in every})
            else:
                bits = row.integer_activation_bits
                model = self._static({index: bits for index in every if index not in left})
        del model.metadata_props[:]
        model.producer_name, model.producer_version = self.graph.producer_name, ""
        for node in model.graph.node:
            node.name = node.name or node.output[0]
        if kept and not row.for_npu:
            model = with_half_weights(model)
        return serialize(onnx.shape_inference.infer_shapes(model))

    def map_operators(self, quantized: bytes) -> list[MappedOperator]:
        """Map the nodes of a quantized model."""
        graph = onnx.load_from_string(quantized).graph
        return map_like(graph, self.graph.graph, self.operators)

    def float_operators(self, quantized: bytes, precision: str) -> list[int]:
        """Indices of the floating-point nodes."""
        return float_nodes(onnx.load_from_string(quantized).graph, PRECISIONS[precision].for_npu)

    def wide_operators(self, quantized: bytes) -> list[int]:
        """Indices of the nodes with 16-bit activations."""
        return wide_nodes(onnx.load_from_string(quantized).graph)

    def ports(self, quantized: bytes) -> tuple[Port, Port]:
        """The input and the output."""
        graph = onnx.load_from_string(quantized).graph
        scales = integer_scales(graph)

        def port(tensor: onnx.ValueInfoProto) -> Port:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type)
            return Port(str(dtype), scales.get(tensor.name))

        return port(graph.input[0]), port(graph.output[0])

    def _static(self, widths: Mapping[int, int]) -> onnx.ModelProto:
        """Quantize nodes, given the width of the activations of each in bits, by index."""
        from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorsData

        model = _with_16_bits(self.graph) if 16 in widths.values() else _copy(self.graph)
        graph = model.graph
        split_constants(graph, [index for index, bits in widths.items() if bits == 16])
        # The quantizer turns a Clip into a range. A Clip whose range excludes zero stays a node
        # between the conversions of its input and output.
        nodes = {index: graph.node[index] for index in widths}
        chosen = [node for index, node in nodes.items() if index not in self._off_zero]
        entry, end = graph.input[0].name, graph.output[0].name
        ranges = {**self.ranges, **bounded_ranges(graph), entry: self._input_range}
        least = min(widths.values(), default=8)
        entry_bits = 8 if self._input_range == BYTES else least  # 8 bits represent bytes exactly
        steps = {
            name: [
                {"axis": axis, "scale": step, "zero_point": 0, "quant_type": QuantType.QInt8}
                for step in steps.tolist()
            ]
            for index, node in nodes.items()
            for name, (axis, steps) in self._weight_steps[widths[index]].items()
            if name in node.input
        }
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,  # `weight_steps` prevents saturation with less loss
            weight_qType=QuantType.QInt8,
            activation_qType=TYPES[least],
            tensors_range=TensorsData(
                CalibrationMethod.MinMax,
                {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()},
            ),
            nodes_to_quantize=[node.name for node in chosen],
            nodes_to_exclude=[],
            op_types_to_quantize=sorted({node.op_type for node in chosen}),
            extra_options={
                "TensorQuantOverrides": steps | type_overrides(graph, widths, entry_bits)
            },
        )
        last = self.producers[end]
        gives_float = last in self.unequal and last not in widths
        for name in (entry,) if gives_float else (entry, end):
            quantizer.quantize_activation_tensor(name)
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        quantized: onnx.ModelProto = quantizer.model.model
        take_and_give_integers(quantized.graph)
        return quantized

    def _dynamic(self, chosen: Sequence[int]) -> onnx.ModelProto:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        nodes = self.graph.graph.node
        names = {nodes[index].name for index in chosen}
        with temporary_folder("quantize") as folder:
            path = folder / "model.onnx"
            quantize_dynamic(
                _copy(self.graph),
                path,
                op_types_to_quantize=list(DYNAMIC_TYPES),
                nodes_to_exclude=[node.name for node in nodes if node.name not in names],
                weight_type=QuantType.QUInt8,
            )
            return onnx.load(path)

    def _activations(self, inputs: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        names = [name for name in self.producers if name]
        # One thread: with more, synchronization dominates in the short operators.
        with open_content(serialize(self.graph), ".onnx") as session:
            for x in inputs:
                yield dict(zip(names, session.fetch(names, [x]), strict=True))


def _with_16_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in the first operator set whose conversions support 16 bits."""
    converted: onnx.ModelProto = onnx.version_converter.convert_version(model, 21)
    converted.ir_version = 10
    return converted


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model, because the quantizers work in place."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied
