"""Tensors of integers that stand for real numbers, as quantized files take and give them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import GraphProto


@dataclass(frozen=True)
class IntegerTensor:
    """What int8 or uint8 stands for: real value = (integer - zero_point) * scale, scale > 0."""

    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def from_real(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Convert real numbers to the nearest integers; those out of range to the last ones."""
        limits = np.iinfo(self.dtype)
        integers = np.round(x / self.scale) + self.zero_point
        result: npt.NDArray[Any] = np.clip(integers, limits.min, limits.max).astype(self.dtype)
        return result

    def to_real(self, integers: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Convert integers to the real numbers that they stand for."""
        return (integers.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


def integer_tensors(graph: "GraphProto") -> dict[str, IntegerTensor]:
    """Find the tensors of an ONNX graph that have one scale, by the nodes that convert them."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    found: dict[str, IntegerTensor] = {}
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        values = [numpy_helper.to_array(stored[name]) for name in node.input[1:] if name in stored]
        if len(values) == len(node.input) - 1 and all(value.size == 1 for value in values):
            scale, zero_point = (*values, np.zeros(1, np.uint8))[:2]  # the standard's default
            name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
            found[name] = IntegerTensor(zero_point.dtype, scale.item(), zero_point.item())
    return found
