"""Running .tflite files with LiteRT (TensorFlow Lite), on its CPU kernels and XNNPACK."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from seaformer.errors import SeaformerError
from seaformer.runtimes.external_data import check_tflite
from seaformer.runtimes.integers import IntegerTensor
from seaformer.runtimes.metadata import read_associated_file, read_beside
from seaformer.runtimes.session import (
    Options,
    PictureInput,
    Session,
    input_channels,
    reason,
    require_one_of_each,
)

DTYPES = (np.float32, np.int8, np.uint8, np.int16)


def open_session(path: Path, options: Options) -> "LiteRTSession":
    """Load the file; see `seaformer.runtimes.open_model`."""
    try:
        with no_log():
            interpreter = Interpreter(model_path=str(path), num_threads=options.threads)
    except (ValueError, RuntimeError) as error:
        raise SeaformerError(
            f"LiteRT cannot open '{path}': {reason(error)}. The file is damaged or no .tflite: "
            "export it again."
        ) from error
    check_tflite(path)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    require_one_of_each(inputs, outputs, path)
    if inputs[0]["dtype"] not in DTYPES:
        raise SeaformerError(
            f"'{path}' takes an input of type {np.dtype(inputs[0]['dtype'])}. "
            f"Allowed: {', '.join(str(np.dtype(dtype)) for dtype in DTYPES)}."
        )
    metadata = read_associated_file(path) or read_beside(path)
    # The signature has -1 where the shape is only a stand-in until it is set.
    signature = [int(side) if side >= 0 else None for side in inputs[0]["shape_signature"]]
    picture = PictureInput.from_shape(signature, path, input_channels(options, metadata))
    size = picture.choose_size(options, metadata, path)
    try:
        if None in signature:
            channels = picture.channels
            shape = (1, *size, channels) if picture.layout == "NHWC" else (1, channels, *size)
            interpreter.resize_tensor_input(inputs[0]["index"], shape)
        with no_log():
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise SeaformerError(
            f"LiteRT cannot prepare '{path}' for pictures of {size[0]}x{size[1]}: {reason(error)}."
        ) from error
    return LiteRTSession(metadata, picture, size, interpreter, path)


@contextmanager
def no_log() -> Iterator[None]:
    """Keep LiteRT from writing to the terminal that it made a delegate.

    It writes from C++ to the file that Python's stderr is, and has no switch for it. What is wrong
    with a model it says in an exception too.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class LiteRTSession(Session):
    """A .tflite file in LiteRT on the CPU."""

    def __init__(
        self,
        metadata: dict[str, Any] | None,
        picture: PictureInput,
        input_shape: tuple[int, int],
        interpreter: Interpreter,
        path: Path,
    ) -> None:
        super().__init__(metadata, picture.layout, input_shape, picture.channels)
        self._interpreter: Interpreter | None = interpreter
        self._path = path
        taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self._input, self._output = taken["index"], given["index"]
        self.integer_input, self.integer_output = _integers(taken), _integers(given)
        if self.integer_input is None and taken["dtype"] != np.float32:
            self.integer_input = IntegerTensor(np.dtype(taken["dtype"]), 1.0, 0)

    def _run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        if self._interpreter is None:
            raise SeaformerError(f"'{self._path}' is closed. Open it again.")
        given = x if self.integer_input is None else self.integer_input.from_real(x)
        try:
            self._interpreter.set_tensor(self._input, given)
            self._interpreter.invoke()
            output: npt.NDArray[Any] = self._interpreter.get_tensor(self._output)
        except (ValueError, RuntimeError) as error:
            raise SeaformerError(f"LiteRT cannot run '{self._path}': {reason(error)}.") from error
        return output if self.integer_output is None else self.integer_output.to_real(output)

    def close(self) -> None:
        """Free the model's memory."""
        self._interpreter = None


def _integers(tensor: dict[str, Any]) -> IntegerTensor | None:
    """What the integers of a tensor stand for; None if they have no scale."""
    scale, zero_point = tensor["quantization"]
    return IntegerTensor(np.dtype(tensor["dtype"]), scale, zero_point) if scale else None
