"""Running .tflite files with LiteRT (TensorFlow Lite) on its CPU kernels and XNNPACK."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from seaformer.artifact.embedding import tflite_text
from seaformer.artifact.metadata import Scale
from seaformer.errors import SeaformerError
from seaformer.runtimes.compiled_file import refuse_compiled
from seaformer.runtimes.external_data import check_tflite
from seaformer.runtimes.session import Array, Session, Tensor, reason

_ERRORS = (ValueError, RuntimeError)
"""Exceptions that LiteRT raises."""


class LiteRTSession(Session):
    """A .tflite file in LiteRT on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.runtime = f"LiteRT {version('ai-edge-litert')}"
        self.metadata_text = tflite_text(path)
        self._threads = threads
        self._observer: Interpreter | None = None
        try:
            with _no_log():
                self._interpreter: Interpreter | None = Interpreter(
                    model_path=str(path), num_threads=threads
                )
            check_tflite(path)
            self._describe()
            if all(None not in tensor.shape for tensor in self.inputs):
                self._allocate(self._interpreter)
        except SeaformerError:
            raise
        except _ERRORS as error:
            raise SeaformerError(
                f"LiteRT cannot open '{path}': {reason(error)}. The file is damaged or not a "
                ".tflite: export it again."
            ) from error

    def resize(self, shape: Sequence[int]) -> None:
        """Fix the shape of the first input."""
        interpreter = self._open_interpreter()
        self._observer = None
        try:
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
            self._allocate(interpreter)
        except _ERRORS as error:
            raise SeaformerError(
                f"LiteRT cannot prepare '{self.path}' for an input of shape {list(shape)}: "
                f"{reason(error)}."
            ) from error

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        interpreter = self._open_interpreter()
        return self._invoke(
            interpreter, inputs, [one["index"] for one in interpreter.get_output_details()]
        )

    def computed_by(self, operator: int) -> str:
        """Return the number of the first tensor that an operator computes."""
        try:
            graph = schema.Model.GetRootAs(self.path.read_bytes()).Subgraphs(0)
            if 0 <= operator < graph.OperatorsLength():
                return str(int(graph.Operators(operator).Outputs(0)))
        except Exception as error:  # flatbuffers can raise any exception
            raise self.cannot_run(error) from error
        raise self.no_operator(operator, graph.OperatorsLength())

    def fetch(self, keys: Sequence[str], inputs: Sequence[Array]) -> list[Array]:
        """Run once with all tensors preserved; return those with these numbers."""
        try:
            if self._observer is None:
                self._open_interpreter()
                # A delegate fuses its operators and does not expose the tensors between them.
                with _no_log(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # about the memory that this needs
                    self._observer = Interpreter(
                        model_path=str(self.path),
                        num_threads=self._threads,
                        experimental_preserve_all_tensors=True,
                        experimental_op_resolver_type=(
                            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                        ),
                    )
                details = self._observer.get_input_details()
                for detail, array in zip(details, inputs, strict=True):
                    self._observer.resize_tensor_input(detail["index"], array.shape)
                self._observer.allocate_tensors()
            observer = self._observer
            arrays = self._invoke(observer, inputs, [int(key) for key in keys])
            tensors = {detail["index"]: detail for detail in observer.get_tensor_details()}
        except _ERRORS as error:
            raise self.cannot_run(error) from error
        return [
            _tensor(tensors[int(key)]).decode(array)
            for key, array in zip(keys, arrays, strict=True)
        ]

    def close(self) -> None:
        """Free the memory of the model."""
        self._interpreter = self._observer = None

    def _open_interpreter(self) -> Interpreter:
        if self._interpreter is None:
            raise self.closed()
        return self._interpreter

    def _allocate(self, interpreter: Interpreter) -> None:
        with _no_log():
            interpreter.allocate_tensors()
        self._describe()

    def _describe(self) -> None:
        interpreter = self._open_interpreter()
        self.inputs = tuple(_tensor(detail) for detail in interpreter.get_input_details())
        self.outputs = tuple(_tensor(detail) for detail in interpreter.get_output_details())

    def _invoke(
        self, interpreter: Interpreter, inputs: Sequence[Array], numbers: Sequence[int]
    ) -> list[Array]:
        try:
            for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
                interpreter.set_tensor(detail["index"], array)
            interpreter.invoke()
            return [interpreter.get_tensor(number) for number in numbers]
        except _ERRORS as error:
            raise self.cannot_run(error) from error


def open_session(path: Path, threads: int) -> LiteRTSession:
    """Load the file to run on the CPU; see `seaformer.runtimes.open_session`.

    Raises:
        UsageError: it is compiled for an NPU.
        SeaformerError: it is damaged.
    """
    refuse_compiled(path)
    return LiteRTSession(path, threads)


@contextmanager
def _no_log() -> Iterator[None]:
    """Suppress LiteRT's log messages, for example about created delegates.

    LiteRT writes them from C++ to the file descriptor of stderr, which cannot be switched off. Its
    errors are in its exceptions too.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _tensor(detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    return Tensor(
        detail["name"],
        str(np.dtype(detail["dtype"])),
        # The signature has -1 for sides that are not fixed yet.
        tuple(None if side < 0 else int(side) for side in detail["shape_signature"]),
        Scale(scale=float(scale), zero_point=int(zero_point)) if scale else None,
    )
