"""Building the nodes that replace others in an ONNX graph, with the shapes of their tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class NewNodes:
    """A chain of nodes that computes what another node did.

    Attributes:
        nodes: the nodes so far; the last one has the name of the replaced node.
    """

    def __init__(self, graph: onnx.ModelProto, replaced: onnx.NodeProto, given: str) -> None:
        """Start with the tensor `given`; the chain will write the output of `replaced`."""
        self.nodes: list[onnx.NodeProto] = []
        self._graph, self._replaced, self._last = graph, replaced, given

    def add(
        self,
        operator: str,
        shape: Sequence[int],
        *constants: Sequence[int],
        name: str = "",
        **attributes: Any,
    ) -> "NewNodes":
        """Append an operator on the last tensor.

        Args:
            operator: its name in ONNX.
            shape: shape of its output, float32.
            constants: values of its further inputs, int64.
            name: last part of its name; by default the operator and its number.
            attributes: its attributes.
        """
        name = f"{self._replaced.name}/{name or f'{operator.lower()}{len(self.nodes)}'}"
        inputs = [self._last]
        for place, values in enumerate(constants):
            inputs.append(f"{name}/input{place}")
            array = np.array(values, dtype=np.int64)
            self._graph.graph.initializer.append(numpy_helper.from_array(array, inputs[-1]))
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        info = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        self._graph.graph.value_info.append(info)
        self._last = name
        return self

    def combine(self, operator: str, shape: Sequence[int], constant: str, place: int) -> "NewNodes":
        """Append an operator of two inputs, one of them the constant of this name at `place`."""
        self.add(operator, shape)
        self.nodes[-1].input.insert(place, constant)
        return self

    def reshape(self, shape: Sequence[int]) -> "NewNodes":
        """Append a Reshape."""
        return self.add("Reshape", shape, shape)

    def transpose(self, shape: Sequence[int], perm: Sequence[int]) -> "NewNodes":
        """Append a Transpose; `shape` is that of its output."""
        return self.add("Transpose", shape, perm=perm)

    def finish(self) -> list[onnx.NodeProto]:
        """Let the last node write the output of the replaced one, and return all."""
        last = self.nodes[-1]
        last.output[0], last.name = self._replaced.output[0], self._replaced.name
        return self.nodes
