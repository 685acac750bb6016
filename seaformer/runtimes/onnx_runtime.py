"""Running .onnx files with ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from seaformer.errors import SeaformerError
from seaformer.runtimes.external_data import check_onnx
from seaformer.runtimes.integers import IntegerTensor, integer_tensors
from seaformer.runtimes.metadata import PROPERTY, parse_metadata, read_beside
from seaformer.runtimes.session import (
    Options,
    PictureInput,
    Session,
    input_channels,
    reason,
    require_one_of_each,
)

DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int8)": np.dtype(np.int8),
}
INTEGERS = {"tensor(uint8)", "tensor(int8)"}

ERRORS_ONLY = 3


def open_session(path: Path, options: Options) -> "OnnxSession":
    """Load the file; see `seaformer.runtimes.open_model`."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = ERRORS_ONLY
    check_onnx(path)
    try:
        model = onnxruntime.InferenceSession(
            str(path), settings, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # The exceptions of ONNX Runtime have no base class of their own.
        raise SeaformerError(
            f"ONNX Runtime cannot open '{path}': {reason(error)}. The file is damaged or made for "
            "another version: export it again."
        ) from error
    inputs, outputs = model.get_inputs(), model.get_outputs()
    require_one_of_each(inputs, outputs, path)
    if inputs[0].type not in DTYPES:
        raise SeaformerError(
            f"'{path}' takes an input of type {inputs[0].type}. Allowed: {', '.join(DTYPES)}."
        )
    text = model.get_modelmeta().custom_metadata_map.get(PROPERTY)
    metadata = parse_metadata(text, f"'{path}'") if text else read_beside(path)
    # A side that takes any number has a name or nothing at all.
    shape = [side if isinstance(side, int) else None for side in inputs[0].shape]
    picture = PictureInput.from_shape(shape, path, input_channels(options, metadata), "NCHW")
    size = picture.choose_size(options, metadata, path)
    return OnnxSession(metadata, picture, size, model, path)


class OnnxSession(Session):
    """An .onnx file in ONNX Runtime on the CPU."""

    def __init__(
        self,
        metadata: dict[str, Any] | None,
        picture: PictureInput,
        input_shape: tuple[int, int],
        model: onnxruntime.InferenceSession,
        path: Path,
    ) -> None:
        super().__init__(metadata, picture.layout, input_shape, picture.channels)
        self._model: onnxruntime.InferenceSession | None = model
        self._path = path
        taken, given = model.get_inputs()[0], model.get_outputs()[0]
        self._name, self._dtype = taken.name, DTYPES[taken.type]
        if INTEGERS & {taken.type, given.type}:
            # ONNX Runtime does not show the graph, so the file is read a second time.
            import onnx

            tensors = integer_tensors(onnx.load(path).graph)
            self.integer_input = tensors.get(taken.name)
            self.integer_output = tensors.get(given.name)
            if self.integer_input is None and taken.type in INTEGERS:
                self.integer_input = IntegerTensor(self._dtype, 1.0, 0)

    def _run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        if self._model is None:
            raise SeaformerError(f"'{self._path}' is closed. Open it again.")
        if self.integer_input is None:
            fed = x.astype(self._dtype, copy=False)
        else:
            fed = self.integer_input.from_real(x)
        try:
            (output,) = self._model.run(None, {self._name: fed})
        except Exception as error:  # As above.
            raise SeaformerError(
                f"ONNX Runtime cannot run '{self._path}': {reason(error)}."
            ) from error
        if self.integer_output is not None:
            return self.integer_output.to_real(output)
        result: npt.NDArray[Any] = output
        return result.astype(np.float32) if result.dtype == np.float16 else result

    def close(self) -> None:
        """Free the model's memory."""
        self._model = None
