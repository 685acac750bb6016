"""Extracting operators in a child process, because a bad file can crash or hang a parser."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.extraction.graph_description import GraphDescription, GraphOperator, GraphTensor
from seaformer.runtimes.child_process import ChildProcess
from seaformer.runtimes.session import Closable

PROGRAM = "the reader of its operators"


@dataclass(frozen=True)
class ExtractedModel:
    """A model of selected operators of the file.

    Attributes:
        model: content of the model.
        operators: operators that depend on its inputs.
        inputs: tensors of the original file that its inputs correspond to, in order.
        outputs: tensors of the original file that its outputs correspond to, in order.
        keys: keys of its outputs for `Session.fetch`.
    """

    model: bytes
    operators: tuple[GraphOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    keys: tuple[str, ...]


class Extractor(Closable):
    """Creates models of operators of one file. Use it as a context manager, or call `close`.

    Attributes:
        graph: the graph of the file, without weights.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._child = ChildProcess("seaformer.extraction.extractor_process", path, PROGRAM)
        try:
            answer, _ = self._child.call("read", {"path": str(path)})
            try:
                self.graph = GraphDescription(
                    tuple(
                        GraphTensor(**{**one, "shape": tuple(one["shape"])})
                        for one in answer["tensors"]
                    ),
                    tuple(
                        GraphOperator(
                            **{
                                **one,
                                "inputs": tuple(one["inputs"]),
                                "outputs": tuple(one["outputs"]),
                            }
                        )
                        for one in answer["operators"]
                    ),
                    tuple(answer["inputs"]),
                    tuple(answer["outputs"]),
                    bool(answer["has_state"]),
                    bool(answer["has_names"]),
                )
            except (KeyError, TypeError) as error:
                raise SeaformerError(
                    f"'{path}' makes {PROGRAM} return malformed data. Export it again."
                ) from error
        except BaseException:
            self.close()
            raise

    def extract(
        self,
        operators: Sequence[GraphOperator],
        fed: Collection[int],
        wanted: Collection[int] = (),
        gives_constants: bool = False,
    ) -> ExtractedModel:
        """Return a model of selected operators, see `tflite_extraction.extract`."""
        answer, (data,) = self._child.call(
            "extract",
            {
                "operators": [one.index for one in operators],
                "fed": sorted(fed),
                "wanted": sorted(wanted),
                "gives_constants": gives_constants,
            },
        )
        return ExtractedModel(
            data.tobytes(),
            tuple(operators),
            tuple(answer["inputs"]),
            tuple(answer["outputs"]),
            tuple(map(str, answer["keys"])),
        )

    def alone(
        self, operators: Sequence[GraphOperator], gives_constants: bool = False
    ) -> ExtractedModel:
        """Return a model in which all tensors that the selected operators read are inputs."""
        return self.extract(operators, self.graph.activations, gives_constants=gives_constants)

    def close(self) -> None:
        """End the child process."""
        self._child.close()
