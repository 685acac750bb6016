"""Description of a graph without its weights: tensors, operators, and their dependencies."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seaformer.artifact.metadata import MappedOperator, Metadata, Scale
from seaformer.runtimes.session import Array, Tensor


@dataclass(frozen=True)
class GraphTensor:
    """A tensor of the main subgraph.

    Attributes:
        index: index in the file.
        name: name in the file.
        shape: sizes of its axes.
        dtype: name of the NumPy dtype, or, for example, "int4", which NumPy lacks.
        scale: scale of quantized values; 0 if there is none, or one per channel.
        zero_point: the integer that represents 0.0.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def bytes(self) -> int:
        """Estimated size, at four bytes per value."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))

    @property
    def integers(self) -> Scale | None:
        """Scale of quantized values; None for floating point and plain integers."""
        return Scale(scale=self.scale, zero_point=self.zero_point) if self.scale else None

    @property
    def port(self) -> Tensor:
        """The tensor in the form of inputs and outputs of sessions."""
        return Tensor(self.name, self.dtype, self.shape, self.integers)

    def stored(self, values: Array) -> Array:
        """Convert a result of `Session.fetch` back to the stored values of the tensor."""
        if self.integers is not None and values.dtype.kind == "f":
            return self.port.encode(values).reshape(self.shape)
        return np.ascontiguousarray(values.astype(self.dtype, copy=False))

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.shape))}] {self.dtype}"


@dataclass(frozen=True)
class GraphOperator:
    """An operator of the main subgraph.

    Attributes:
        index: position in execution order.
        type: operator type, such as "CONV_2D".
        inputs: tensor indices, without absent optional inputs.
        outputs: tensor indices.
        kind: digest of everything that determines the kernel: type, options, shapes, dtypes, and
            values of integer constants; operators of the same kind differ only in weights.
    """

    index: int
    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kind: str


@dataclass(frozen=True)
class GraphDescription:
    """The main subgraph of a .tflite, or the graph of an .onnx.

    Attributes:
        tensors: all tensors, by index.
        operators: all operators, in execution order.
        inputs: input tensors of the file.
        outputs: output tensors of the file.
        has_state: whether a tensor preserves its value between runs.
        has_names: whether the keys for `Session.fetch` are names of tensors rather than indices.
    """

    tensors: tuple[GraphTensor, ...]
    operators: tuple[GraphOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    has_state: bool = False
    has_names: bool = False

    def key(self, tensor: int) -> str:
        """Return the key of a tensor for `Session.fetch`."""
        return self.tensors[tensor].name if self.has_names else str(tensor)

    def is_needed_outside(
        self, tensor: int, kept: Iterable[GraphOperator], fed: Collection[int]
    ) -> bool:
        """Whether anything outside the `kept` operators needs a tensor that they compute."""
        inside = {one.index for one in kept}
        readers = {one.index for one in self.operators if tensor in one.inputs}
        return tensor in self.outputs or tensor in fed or not readers or not readers <= inside

    @cached_property
    def constants(self) -> frozenset[int]:
        """Tensors that do not depend on an input: stored tensors, and those computed from them."""
        changing = set(self.inputs)
        produced = {tensor for one in self.operators for tensor in one.outputs}
        for one in self.operators:
            if changing.intersection(one.inputs) or not one.inputs:
                changing.update(one.outputs)
        found = set(range(len(self.tensors))) - changing
        # A tensor that is neither stored nor computed is not read by any operator.
        return frozenset(found | (produced - changing))

    @cached_property
    def computing(self) -> tuple[GraphOperator, ...]:
        """Operators whose results depend on an input."""
        return tuple(one for one in self.operators if not self.constants.issuperset(one.outputs))

    @cached_property
    def activations(self) -> frozenset[int]:
        """Tensors that depend on an input."""
        return frozenset(range(len(self.tensors))) - self.constants

    @cached_property
    def producers(self) -> dict[int, GraphOperator]:
        """Tensor -> the operator that computes it."""
        return {tensor: one for one in self.operators for tensor in one.outputs}

    @cached_property
    def is_quantized(self) -> bool:
        """Whether anything is computed with quantized integers."""
        return any(
            self.tensors[tensor].scale or self.is_hybrid(one)
            for one in self.computing
            for tensor in one.outputs
        )

    def is_hybrid(self, operator: GraphOperator) -> bool:
        """Whether an operator multiplies floating-point activations by integer weights.

        CPUs quantize such activations at run time.
        """
        weights = [self.tensors[tensor].dtype for tensor in operator.inputs if self._stored(tensor)]
        is_real = all(self.tensors[tensor].dtype == "float32" for tensor in operator.outputs)
        return is_real and any(dtype in ("int4", "int8", "uint8") for dtype in weights)

    def signature(self, operator: GraphOperator) -> tuple[object, ...]:
        """Return an operator's type, and each tensor's dtype and whether it is constant."""
        places = (*operator.inputs, *operator.outputs)
        types = ((self.tensors[tensor].dtype, tensor in self.constants) for tensor in places)
        return operator.type, len(operator.outputs), *types

    def _stored(self, tensor: int) -> bool:
        return tensor in self.constants and tensor not in self.producers

    def needed_by(self, operator: GraphOperator) -> tuple[int, ...]:
        """Return the tensors that an operator reads and that depend on an input."""
        return tuple(tensor for tensor in operator.inputs if tensor in self.activations)

    def ancestors(self, operator: GraphOperator, fed: Collection[int]) -> list[GraphOperator]:
        """Return an operator, last, and all operators it depends on, except those before `fed`."""
        found = {operator.index: operator}
        waiting = [operator]
        while waiting:
            for tensor in self.needed_by(waiting.pop()):
                before = self.producers.get(tensor)
                if tensor not in fed and before is not None and before.index not in found:
                    found[before.index] = before
                    waiting.append(before)
        return [found[index] for index in sorted(found)]


def outputs_of(operators: Iterable[GraphOperator]) -> frozenset[int]:
    """Return all tensors that the operators compute."""
    return frozenset(tensor for one in operators for tensor in one.outputs)


def modules(metadata: object, graph: GraphDescription) -> Mapping[int, str]:
    """Return operator -> path of its module, for the operators that the metadata maps."""
    return modules_of(metadata.operators, graph) if isinstance(metadata, Metadata) else {}


def modules_of(operators: Iterable[MappedOperator], graph: GraphDescription) -> Mapping[int, str]:
    """Return operator -> path of its module."""
    types = {one.index: one.type for one in graph.operators}
    return {m.index: m.module for m in operators if types.get(m.index) == m.type}
