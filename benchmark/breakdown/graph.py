"""Operators of an exported file and their modules, for a breakdown."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.artifact.metadata import MappedOperator
from seaformer.errors import SeaformerError


@dataclass(frozen=True)
class Operator:
    """One operator of the file.

    Attributes:
        index: position in execution order.
        type: its name in the file, such as "CONV_2D" or "Conv".
        name: name of its first output.
        module: path of the module it belongs to, "" for the network itself.
        inputs: keys of the tensors it reads, without weights.
        outputs: keys of the tensors it computes.
        macs: multiply-accumulates, as `seaformer.benchmark.breakdown.macs` counts them.
        has_activation: whether an activation such as RELU is fused into it in the file.
    """

    index: int
    type: str
    name: str
    module: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int
    has_activation: bool = False


class Graph(ABC):
    """An exported file with its mapping of operators to modules.

    Attributes:
        operators: its operators, in execution order.
        input: key of the input tensor.
        outputs: keys of the output tensors.
        nodes: name of an operator -> the operator; empty for a .tflite, where operators are
            unnamed.
    """

    operators: tuple[Operator, ...]
    input: str
    outputs: tuple[str, ...]
    nodes: Mapping[str, Operator] = MappingProxyType({})

    @abstractmethod
    def truncated(self, outputs: Sequence[str]) -> bytes:
        """Return a model file that computes these tensors from the same input."""

    def working(self) -> tuple[Operator, ...]:
        """The operators that depend on the input; others unpack weights."""
        known, found = {self.input}, []
        for operator in self.operators:
            if not known.isdisjoint(operator.inputs):
                known.update(operator.outputs)
                found.append(operator)
        return tuple(found)

    def live_after(self, done: Iterable[Operator]) -> tuple[str, ...]:
        """The tensors computed by these operators that other operators or the caller need."""
        inside = {operator.index: operator for operator in done}
        needed = set(self.outputs)
        for operator in self.operators:
            if operator.index not in inside:
                needed.update(operator.inputs)
        computed = (name for operator in inside.values() for name in operator.outputs)
        return tuple(name for name in computed if name in needed)

    def needed_for(self, outputs: Iterable[str]) -> tuple[int, ...]:
        """Indices of the operators that compute these tensors, in execution order."""
        needed, kept = set(outputs), []
        for operator in reversed(self.operators):
            if not needed.isdisjoint(operator.outputs):
                needed.update(operator.inputs)
                kept.append(operator.index)
        return tuple(reversed(kept))


def modules_of(path: Path, types: Sequence[str], mapped: Sequence[MappedOperator]) -> list[str]:
    """Return the module of each operator of a file, by types and mapping in its metadata.

    Raises:
        SeaformerError: the mapping belongs to another file.
    """
    if list(types) != [row.type for row in mapped]:
        raise SeaformerError(
            f"'{path}' has {len(types)} operators that do not match the {len(mapped)} in its "
            "metadata. Export the model again."
        )
    return [row.module for row in mapped]
