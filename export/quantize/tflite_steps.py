"""Raising very small weight steps of a quantized .tflite.

ai-edge-quantizer gives channels with nearly zero weights steps down to 1e-11. The bias, whose step
is derived from it, then overflows, and Qualcomm's NPU computes wrong values, see `saturation`.
"""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.export.quantize.saturation import SMALLEST_SHARE

_INTEGERS: Mapping[int, type[np.signedinteger]] = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}


def raise_small_steps(quantized: schema.ModelT, single: schema.ModelT) -> None:
    """Raise steps to a minimum share of the largest step of their tensor, in place.

    The step of a bias is the product of the weights' and the input's step, so it changes as well.

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
        steps = np.asarray(used[0].quantization.scale, np.float64)
        factors = np.maximum(1, SMALLEST_SHARE * steps.max() / steps)
        if (factors == 1).all():
            continue
        for tensor in used:
            values = single.buffers[stored[tensor.name].buffer].data
            tensor.quantization.scale = (tensor.quantization.scale * factors).astype(np.float32)
            integers = _quantize(np.frombuffer(bytes(values), np.float32), tensor)
            # Others may share the buffer.
            quantized.buffers.append(schema.BufferT(integers.view(np.uint8)))
            tensor.buffer = len(quantized.buffers) - 1


def _quantize(values: np.ndarray, tensor: schema.TensorT) -> np.ndarray:
    """Quantize values symmetrically to a tensor's integers; return them flattened."""
    channels, kind = tensor.quantization.quantizedDimension, _INTEGERS[tensor.type]
    along = np.ones(len(tensor.shape), int)
    along[channels] = tensor.shape[channels]
    steps = np.asarray(tensor.quantization.scale, np.float64).reshape(along)
    limits = np.iinfo(kind)
    rounded = np.round(values.reshape(tensor.shape) / steps)
    return np.clip(rounded, limits.min + 1, limits.max).astype(kind).reshape(-1)
