"""Raising very small weight scales of a quantized .tflite.

ai-edge-quantizer gives channels with nearly zero weights scales down to 1e-11. The bias, whose
scale is derived from that of the weights, then overflows, and Qualcomm's NPU computes wrong values,
see `saturation`.
"""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.quantization.saturation import SMALLEST_SHARE

_INTEGERS: Mapping[int, type[np.signedinteger]] = {
    schema.TensorType.INT4: np.int8,  # before they are packed
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}

_LARGEST_INT4 = 7


def raise_small_steps(quantized: schema.ModelT, single: schema.ModelT) -> None:
    """Raise scales to a minimum share of the largest scale of their tensor, in place.

    The scale of a bias is the product of the scales of weights and input, so it changes as well.

    Args:
        quantized: the model quantized from `single`.
        single: model in single precision, with the same tensor names.
    """
    stored = {tensor.name: tensor for tensor in single.subgraphs[0].tensors}
    graph = quantized.subgraphs[0]
    for operator in graph.operators:
        used = [graph.tensors[index] for index in operator.inputs[1:] if index >= 0]
        if not used or used[0].quantization is None or used[0].quantization.scale is None:
            continue
        scales = np.asarray(used[0].quantization.scale, np.float64)
        factors = np.maximum(1, SMALLEST_SHARE * scales.max() / scales)
        if (factors == 1).all():
            continue
        for tensor in used:
            values = single.buffers[stored[tensor.name].buffer].data
            tensor.quantization.scale = (tensor.quantization.scale * factors).astype(np.float32)
            integers = _quantize(np.frombuffer(bytes(values), np.float32), tensor)
            # Other tensors may share the buffer.
            quantized.buffers.append(schema.BufferT(integers.view(np.uint8)))
            tensor.buffer = len(quantized.buffers) - 1


def _quantize(values: np.ndarray, tensor: schema.TensorT) -> np.ndarray:
    """Quantize values symmetrically to a tensor's integers; return them flattened."""
    channels, kind = tensor.quantization.quantizedDimension, _INTEGERS[tensor.type]
    along = np.ones(len(tensor.shape), int)
    along[channels] = tensor.shape[channels]
    scales = np.asarray(tensor.quantization.scale, np.float64).reshape(along)
    largest = _LARGEST_INT4 if tensor.type == schema.TensorType.INT4 else np.iinfo(kind).max
    rounded = np.round(values.reshape(tensor.shape) / scales)
    integers = np.clip(rounded, -largest, largest).astype(kind).reshape(-1)
    return _packed(integers) if tensor.type == schema.TensorType.INT4 else integers


def _packed(integers: np.ndarray) -> np.ndarray:
    """Pack pairs of 4-bit integers into bytes, the first in the low half."""
    low, high = np.pad(integers, (0, len(integers) % 2)).reshape(-1, 2).astype(np.uint8).T
    return (low & 0x0F) | (high << 4)
