"""What a breakdown has to know of an exported file: its operators, and the modules they are of."""

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
        index: place in the order of execution.
        type: in the file's own words: "CONV_2D", "Conv".
        name: of its first output.
        module: path of the module it belongs to, "" for the network itself.
        inputs: tensors it reads that are given or computed, by keys of the graph; no weights.
        outputs: tensors it computes, likewise.
        macs: multiply-accumulates, as `seaformer.benchmark.breakdown.macs` counts them.
        has_activation: whether the file has a RELU or the like fused into it.
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
    """An exported file with its map of operators to modules.

    Attributes:
        operators: in the order of execution.
        input: key of the tensor that is given.
        outputs: keys of the tensors that the file gives.
        nodes: name of an operator -> the operator; empty in a .tflite, where they have none.
    """

    operators: tuple[Operator, ...]
    input: str
    outputs: tuple[str, ...]
    nodes: Mapping[str, Operator] = MappingProxyType({})

    @abstractmethod
    def truncated(self, outputs: Sequence[str]) -> bytes:
        """Return a file that computes these tensors of this one, from the same input."""

    def working(self) -> tuple[Operator, ...]:
        """The operators that compute something new for every input; others unpack weights."""
        known, found = {self.input}, []
        for operator in self.operators:
            if not known.isdisjoint(operator.inputs):
                known.update(operator.outputs)
                found.append(operator)
        return tuple(found)

    def live_after(self, done: Iterable[Operator]) -> tuple[str, ...]:
        """The tensors that these operators compute and that the others, or the user, need."""
        inside = {operator.index: operator for operator in done}
        needed = set(self.outputs)
        for operator in self.operators:
            if operator.index not in inside:
                needed.update(operator.inputs)
        computed = (name for operator in inside.values() for name in operator.outputs)
        return tuple(name for name in computed if name in needed)

    def needed_for(self, outputs: Iterable[str]) -> tuple[int, ...]:
        """Indices of the operators that tensors are computed by, in the order of execution."""
        needed, kept = set(outputs), []
        for operator in reversed(self.operators):
            if not needed.isdisjoint(operator.outputs):
                needed.update(operator.inputs)
                kept.append(operator.index)
        return tuple(reversed(kept))


def modules_of(path: Path, types: Sequence[str], mapped: Sequence[MappedOperator]) -> list[str]:
    """Return the module of each operator of a file, by the types and the map in its metadata.

    Raises:
        SeaformerError: the map is of another file.
    """
    if list(types) != [row.type for row in mapped]:
        raise SeaformerError(
            f"'{path}' has {len(types)} operators that are not those of the map in its metadata, "
            f"which has {len(mapped)}. Export the model again."
        )
    return [row.module for row in mapped]
