"""Quantizing a single-precision .tflite file with ai-edge-quantizer.

It works on the flatbuffer itself, so the operators, their names and their order stay as they were
verified in single precision, and only the numbers change.
"""

import contextlib
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version

import numpy as np

from seaformer.artifact.metadata import MappedOperator
from seaformer.artifact.precisions import PRECISIONS
from seaformer.export.convert import tflite_file
from seaformer.export.convert.onnx_graph import INPUT_NAME
from seaformer.export.convert.operator_map import map_tflite_like
from seaformer.export.quantize.engine import Port, left_alone
from seaformer.export.quantize.tflite_steps import raise_small_steps
from seaformer.quantization.ranges import Activation, collect
from seaformer.runtimes import open_content
from seaformer.runtimes.tflite_flatbuffer import pack, parse

FLOAT_TYPES = ("BATCH_MATMUL", "SOFTMAX")
"""Operators without an int8 kernel in XNNPACK: each would split the graph into two partitions."""

WEIGHTED_TYPES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")

DYNAMIC_TYPES = ("CONV_2D", "FULLY_CONNECTED")
"""The only operators for which XNNPACK has kernels with int8 weights and float activations."""

NARROW_TYPES = ("CONV_2D", "FULLY_CONNECTED")
"""The only operators whose weights can have fewer than 8 bits."""

_WEIGHT_BITS = 8


class TFLiteEngine:
    """See `Engine`. Takes a single-precision model with a signature.

    The outputs of its operators have the names given by `tflite_file.with_module_names`.
    `input_range` is the smallest and largest real input value: (0, 255) if the file normalizes the
    image itself; the integers of the input are then the pixel values, shifted. `unequal` is as in
    `Engine`.
    """

    def __init__(
        self,
        model: bytes,
        operators: Sequence[MappedOperator],
        input_range: tuple[float, float],
        unequal: frozenset[int] = frozenset(),
    ) -> None:
        self.model = model
        self.operators = operators
        self.unequal = unequal
        self.always_float = attention_core(operators) | unequal
        self.ranges: Mapping[str, tuple[float, float]] = {}
        self.title = f"ai-edge-quantizer {version('ai-edge-quantizer')}"
        self._scopes = tflite_file.operator_scopes(model)
        self._input_range = input_range
        self._activations_by_index = tflite_file.activation_names(model)
        names = self._activations_by_index
        every = tflite_file.operators(model)
        self.producers: Mapping[str, int] = {
            names[tensor]: operator.index
            for operator in every
            for tensor in operator.outputs
            if tensor in names
        }
        self.consumed: Sequence[Sequence[str]] = [
            [names[tensor] for tensor in o.inputs if tensor in names] for o in every
        ]

    def observe(self, inputs: Iterable[np.ndarray]) -> dict[str, Activation]:
        """Run the file on images and record every tensor; see `Engine`."""
        return collect(self._activations(inputs))

    def quantize(self, precision: str, kept: Collection[int] = ()) -> bytes:
        """Return the quantized flatbuffer; see `Engine`."""
        import absl.logging
        from ai_edge_quantizer.algorithm_manager import AlgorithmName
        from ai_edge_quantizer.qtyping import TFLOperationName
        from ai_edge_quantizer.quantizer import Quantizer

        absl.logging.set_verbosity(absl.logging.ERROR)
        row = PRECISIONS[precision]
        quantizer = Quantizer(self.model)
        every, bits = TFLOperationName.ALL_SUPPORTED, row.integer_activation_bits
        if bits is not None:
            quantizer.add_static_config(".*", every, bits, _WEIGHT_BITS)
            for name in NARROW_TYPES if row.weight_bits < _WEIGHT_BITS else ():
                quantizer.add_static_config(".*", TFLOperationName[name], bits, row.weight_bits)
        else:
            for name in DYNAMIC_TYPES:
                quantizer.add_dynamic_config(".*", TFLOperationName[name], _WEIGHT_BITS)
        left = left_alone(self, precision, kept)
        if left:
            scopes = "|".join(re.escape(self._scopes[index]) for index in sorted(left))
            scope = f"^(?:{scopes})"
            if row.keeps_16_bits:
                quantizer.add_static_config(scope, every, 16, _WEIGHT_BITS)
            else:
                quantizer.update_quantization_recipe(scope, every, None, AlgorithmName.NO_QUANTIZE)
        # One of its progress bars cannot be disabled.
        with contextlib.redirect_stderr(io.StringIO()):
            done = quantizer.quantize(
                None if bits is None else self._statistics(),
                enable_progress_bar=False,
                enable_progress_report=False,
            ).quantized_model
        parsed = parse(bytes(done))
        if bits is not None:
            raise_small_steps(parsed, parse(self.model))
        flatbuffer = pack(parsed)  # with the weights inside the flatbuffer, as converters write it
        if not kept or row.keeps_16_bits:
            return flatbuffer
        return tflite_file.with_half_weights(flatbuffer)

    def map_operators(self, quantized: bytes) -> list[MappedOperator]:
        """Map the operators of a quantized file."""
        return map_tflite_like(tflite_file.operators(quantized), list(self.operators))

    def float_operators(self, quantized: bytes, precision: str) -> list[int]:  # noqa: ARG002
        """Indices of the floating-point operators."""
        return tflite_file.operators_giving(quantized, "float32")

    def wide_operators(self, quantized: bytes) -> list[int]:
        """Indices of the operators with 16-bit activations."""
        return tflite_file.operators_giving(quantized, "int16")

    def ports(self, quantized: bytes) -> tuple[Port, Port]:
        """The input and the output."""
        first, last = (Port(*port) for port in tflite_file.ports(quantized))
        return first, last

    def _statistics(self) -> dict[str, dict[str, np.ndarray]]:
        return {
            name: {
                "min": np.full((1, 1), low, np.float32),
                "max": np.full((1, 1), high, np.float32),
            }
            for name, (low, high) in {**self.ranges, INPUT_NAME: self._input_range}.items()
        }

    def _activations(self, inputs: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        named = self._activations_by_index
        keys = [str(index) for index in named]
        with open_content(self.model, ".tflite") as session:
            for x in inputs:
                tensors = session.fetch(keys, [np.ascontiguousarray(x.transpose(0, 2, 3, 1))])
                yield dict(zip(named.values(), tensors, strict=True))


def attention_core(operators: Sequence[MappedOperator]) -> frozenset[int]:
    """The operators between the projections of an attention layer; they stay in floating point.

    They are the operators of `FLOAT_TYPES`, and the operators without weights in the same modules:
    otherwise, the result of every step between two matrix products would be converted to eight bits
    and back. They process only the squeezed tokens and take a thousandth of the network's latency.
    """
    modules = {mapped.module for mapped in operators if mapped.type in FLOAT_TYPES}
    return frozenset(
        mapped.index
        for mapped in operators
        if mapped.type in FLOAT_TYPES
        or (mapped.module in modules and mapped.module and mapped.type not in WEIGHTED_TYPES)
    )
