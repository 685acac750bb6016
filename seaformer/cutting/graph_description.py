"""What is known of a graph without its weights: tensors, operators, and who needs what."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seaformer.artifact.metadata import Metadata, Scale
from seaformer.runtimes.session import Array, Tensor


@dataclass(frozen=True)
class GraphTensor:
    """A tensor of the main subgraph.

    Attributes:
        index: in the file, which is its key for `Session.fetch`.
        name: in the file.
        shape: sizes of its axes.
        dtype: as NumPy calls it; "int4" and the like where it has none.
        scale: of its integers, with `zero_point`; 0 where they have none, or one per channel.
        zero_point: the integer of 0.0.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def bytes(self) -> int:
        """Size of its values, at four bytes each: an estimate."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))

    @property
    def integers(self) -> Scale | None:
        """What its integers stand for; None if it holds real numbers, or integers as such."""
        return Scale(scale=self.scale, zero_point=self.zero_point) if self.scale else None

    @property
    def port(self) -> Tensor:
        """The same, as sessions describe what a model takes and gives."""
        return Tensor(self.name, self.dtype, self.shape, self.integers)

    def stored(self, values: Array) -> Array:
        """Convert what `Session.fetch` returns back to the values that the tensor holds."""
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
        type: such as "CONV_2D".
        inputs: tensor indices; optional inputs that are absent are left out.
        outputs: tensor indices.
        kind: digest of all that decides which kernel runs: type, options, shapes, types, and the
            values of integer constants; operators of the same kind differ in their weights.
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
        tensors: all of them, by index.
        operators: all of them, in execution order.
        inputs: tensors that the file takes.
        outputs: tensors that it returns.
        has_state: whether a tensor keeps its value from one run to the next.
        has_names: whether `Session.fetch` knows tensors by their names, and not by their places.
    """

    tensors: tuple[GraphTensor, ...]
    operators: tuple[GraphOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    has_state: bool = False
    has_names: bool = False

    def key(self, tensor: int) -> str:
        """What `Session.fetch` knows a tensor by."""
        return self.tensors[tensor].name if self.has_names else str(tensor)

    def is_needed_outside(
        self, tensor: int, kept: Iterable[GraphOperator], fed: Collection[int]
    ) -> bool:
        """Whether anything but some operators needs a tensor that one of them computes."""
        inside = {one.index for one in kept}
        readers = {one.index for one in self.operators if tensor in one.inputs}
        return tensor in self.outputs or tensor in fed or not readers or not readers <= inside

    @cached_property
    def constants(self) -> frozenset[int]:
        """Tensors that no input changes: stored ones, and those that are computed from them."""
        changing = set(self.inputs)
        produced = {tensor for one in self.operators for tensor in one.outputs}
        for one in self.operators:
            if changing.intersection(one.inputs) or not one.inputs:
                changing.update(one.outputs)
        found = set(range(len(self.tensors))) - changing
        # A tensor that is neither stored nor computed is nobody's input: it does not matter.
        return frozenset(found | (produced - changing))

    @cached_property
    def computing(self) -> tuple[GraphOperator, ...]:
        """Operators whose result depends on an input."""
        return tuple(one for one in self.operators if not self.constants.issuperset(one.outputs))

    @cached_property
    def activations(self) -> frozenset[int]:
        """Tensors that an input changes."""
        return frozenset(range(len(self.tensors))) - self.constants

    @cached_property
    def producers(self) -> dict[int, GraphOperator]:
        """Tensor -> the operator that computes it."""
        return {tensor: one for one in self.operators for tensor in one.outputs}

    @cached_property
    def is_quantized(self) -> bool:
        """Whether anything is computed with integers that stand for real numbers."""
        return any(
            self.tensors[tensor].scale or self.is_hybrid(one)
            for one in self.computing
            for tensor in one.outputs
        )

    def is_hybrid(self, operator: GraphOperator) -> bool:
        """Whether it multiplies real numbers with integer weights, rounding the former on a CPU."""
        weights = [self.tensors[tensor].dtype for tensor in operator.inputs if self._stored(tensor)]
        is_real = all(self.tensors[tensor].dtype == "float32" for tensor in operator.outputs)
        return is_real and any(dtype in ("int4", "int8", "uint8") for dtype in weights)

    def signature(self, operator: GraphOperator) -> tuple[object, ...]:
        """Its type, and for each input and output the type, and whether an input changes it."""
        places = (*operator.inputs, *operator.outputs)
        types = ((self.tensors[tensor].dtype, tensor in self.constants) for tensor in places)
        return operator.type, len(operator.outputs), *types

    def _stored(self, tensor: int) -> bool:
        return tensor in self.constants and tensor not in self.producers

    def needed_by(self, operator: GraphOperator) -> tuple[int, ...]:
        """Tensors that an operator reads and that an input changes."""
        return tuple(tensor for tensor in operator.inputs if tensor in self.activations)

    def ancestors(self, operator: GraphOperator, fed: Collection[int]) -> list[GraphOperator]:
        """The operators that one depends on, itself the last; none beyond `fed` tensors."""
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
    """All tensors that some operators compute."""
    return frozenset(tensor for one in operators for tensor in one.outputs)


def modules(metadata: object, graph: GraphDescription) -> Mapping[int, str]:
    """Operator -> the path of its module, as far as the file says it."""
    if not isinstance(metadata, Metadata):
        return {}
    types = {one.index: one.type for one in graph.operators}
    return {m.index: m.module for m in metadata.operators if types.get(m.index) == m.type}
