"""Running .onnx and .tflite files with OpenVINO, as an independent implementation."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import openvino

from seaformer.artifact.embedding import tflite_text
from seaformer.errors import SeaformerError
from seaformer.runtimes.session import Array, Session, Tensor, reason


class OpenVinoSession(Session):
    """A file in OpenVINO on the CPU, in single precision.

    Args:
        path: path of the file.
        threads: threads for one run.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.runtime = f"OpenVINO {version('openvino')}"
        self.metadata_text = tflite_text(path) if path.suffix == ".tflite" else None
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        try:
            self._model = openvino.Core().compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise SeaformerError(f"OpenVINO cannot load '{path}': {reason(error)}.") from error
        self.inputs = tuple(map(_tensor, self._model.inputs))
        self.outputs = tuple(map(_tensor, self._model.outputs))

    def resize(self, shape: Sequence[int]) -> None:
        """Do nothing: the model adapts to the shape of each input."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        try:
            results = self._model(list(inputs))
        except RuntimeError as error:
            raise SeaformerError(f"OpenVINO cannot run '{self.path}': {reason(error)}.") from error
        return [results[output].copy() for output in self._model.outputs]

    def close(self) -> None:
        """Free the memory of the model."""
        del self._model


def open_session(path: Path, threads: int) -> OpenVinoSession:
    """Load the file; see `seaformer.runtimes.open_session`."""
    return OpenVinoSession(path, threads)


def _tensor(port: openvino.ConstOutput) -> Tensor:
    shape = tuple(
        None if side.is_dynamic else int(side.get_length()) for side in port.partial_shape
    )
    name = port.any_name if port.names else ""
    return Tensor(name, str(port.element_type.to_dtype()), shape)
