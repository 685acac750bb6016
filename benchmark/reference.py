"""A model file on this computer at the level of tensors: what a device is compared with.

`seaformer.runtimes` runs models of a picture on real numbers; a benchmark also measures parts of
networks and users' own files, and has to hand the bytes of a tensor to a device and read others
back. So here are one input and one or more outputs of any shape, as the file has them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError
from seaformer.runtimes.external_data import check_onnx, check_tflite
from seaformer.runtimes.integers import IntegerTensor
from seaformer.runtimes.metadata import (
    PROPERTY,
    parse_metadata,
    read_associated_file,
    read_beside,
)
from seaformer.runtimes.session import reason

Array = npt.NDArray[Any]

_ONNX_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class Tensor:
    """An input or output of a file.

    Attributes:
        name: in the file.
        dtype: as NumPy calls it.
        shape: sizes of its axes.
        integers: what its integers stand for; None if they, or real numbers, are meant as such.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    integers: IntegerTensor | None = None

    def encode(self, values: npt.NDArray[np.float32]) -> Array:
        """Turn real numbers into what the file takes."""
        if self.integers is not None:
            return np.ascontiguousarray(self.integers.from_real(values))
        return np.ascontiguousarray(values.astype(self.dtype))

    def decode(self, values: Array) -> Array:
        """Turn what the file gives into real numbers; integers without a scale stay as they are."""
        if self.integers is not None:
            return self.integers.to_real(values)
        return values.astype(np.float32) if values.dtype == np.float16 else values

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


class Reference(ABC):
    """A loaded file.

    Attributes:
        metadata: what the export wrote about itself (`seaformer.runtimes.metadata`), or None.
        input: the one input.
        outputs: one or more.
        runtime: what runs it, in words.
    """

    metadata: dict[str, Any] | None
    input: Tensor
    outputs: tuple[Tensor, ...]
    runtime: str

    @abstractmethod
    def run(self, tensor: Array) -> list[Array]:
        """Run once; `tensor` and the arrays returned are as the file has them.

        Raises:
            SeaformerError: the runtime fails.
        """

    def split(self, data: bytes) -> list[Array]:
        """Read the bytes of all outputs, one after another, as the runner writes them.

        Raises:
            SeaformerError: they are not as many as the outputs take.
        """
        expected = sum(output.nbytes for output in self.outputs)
        if len(data) != expected:
            raise SeaformerError(
                f"the device gave an output of {len(data)} bytes, the file has one of {expected}. "
                "Its runtime may not fit the model."
            )
        arrays, start = [], 0
        for output in self.outputs:
            part = np.frombuffer(data[start : start + output.nbytes], output.dtype)
            arrays.append(part.reshape(output.shape))
            start += output.nbytes
        return arrays

    def decode(self, outputs: Sequence[Array]) -> list[Array]:
        """Turn all outputs into real numbers or class ids."""
        pairs = zip(self.outputs, outputs, strict=True)
        return [tensor.decode(output) for tensor, output in pairs]


def open_reference(path: Path) -> Reference:
    """Load a .tflite or .onnx with this computer's own runtime.

    Raises:
        SeaformerError: the file is damaged, or does not have one input of a fixed shape.
    """
    return _LiteRT(path) if path.suffix.lower() == ".tflite" else _OnnxRuntime(path)


class _LiteRT(Reference):
    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        from seaformer.runtimes.litert import no_log

        self._path = path
        try:
            with no_log():
                self._interpreter = Interpreter(model_path=str(path), num_threads=1)
                check_tflite(path)
                self._interpreter.allocate_tensors()
        except SeaformerError:
            raise
        except (ValueError, RuntimeError) as error:
            raise _cannot_open("LiteRT", path, error) from error
        inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        _require_one(len(inputs), path)
        self._input = inputs[0]
        if any(side < 0 for side in self._input["shape_signature"]):
            raise _any_shape(path)
        self.input = _litert_tensor(self._input)
        self.outputs = tuple(_litert_tensor(detail) for detail in self._outputs)
        self.metadata = read_associated_file(path) or read_beside(path)
        self.runtime = f"LiteRT {version('ai-edge-litert')}"

    def run(self, tensor: Array) -> list[Array]:
        try:
            self._interpreter.set_tensor(self._input["index"], tensor)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]
        except (ValueError, RuntimeError) as error:
            raise SeaformerError(f"LiteRT cannot run '{self._path}': {reason(error)}.") from error


class _OnnxRuntime(Reference):
    def __init__(self, path: Path) -> None:
        import onnxruntime

        self._path = path
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.log_severity_level = _ERRORS_ONLY
        check_onnx(path)
        try:
            self._model = onnxruntime.InferenceSession(
                str(path), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's have no base class.
            raise _cannot_open("ONNX Runtime", path, error) from error
        inputs = self._model.get_inputs()
        _require_one(len(inputs), path)
        text = self._model.get_modelmeta().custom_metadata_map.get(PROPERTY)
        self.metadata = parse_metadata(text, f"'{path}'") if text else read_beside(path)
        self.input = _onnx_tensor(inputs[0], path)
        integers = self._integers("input", self.input.dtype)
        self.input = replace(self.input, integers=integers)
        # The shape of an output may be left open in the file: it is known after a run.
        self.outputs = ()
        self.runtime = f"ONNX Runtime {version('onnxruntime')}"

    def run(self, tensor: Array) -> list[Array]:
        try:
            arrays: list[Array] = self._model.run(None, {self.input.name: tensor})
        except Exception as error:  # As above.
            raise SeaformerError(
                f"ONNX Runtime cannot run '{self._path}': {reason(error)}."
            ) from error
        self.outputs = tuple(
            Tensor(
                output.name, str(array.dtype), array.shape, self._integers("output", array.dtype)
            )
            for output, array in zip(self._model.get_outputs(), arrays, strict=True)
        )
        return arrays

    def _integers(self, side: str, dtype: npt.DTypeLike) -> IntegerTensor | None:
        """What the integers of "input" or "output" stand for, which the metadata says."""
        scale = ((self.metadata or {}).get(side) or {}).get("quantization")
        if scale is None:
            return None
        return IntegerTensor(np.dtype(dtype), scale["scale"], scale["zero_point"])


def _litert_tensor(detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    return Tensor(
        detail["name"],
        str(np.dtype(detail["dtype"])),
        tuple(int(side) for side in detail["shape"]),
        IntegerTensor(np.dtype(detail["dtype"]), scale, zero_point) if scale else None,
    )


def _onnx_tensor(node: Any, path: Path) -> Tensor:
    if node.type not in _ONNX_DTYPES:
        raise SeaformerError(
            f"'{path}' takes an input of type {node.type}. Allowed: {', '.join(_ONNX_DTYPES)}."
        )
    if not all(isinstance(side, int) for side in node.shape):
        raise _any_shape(path)
    return Tensor(node.name, _ONNX_DTYPES[node.type], tuple(node.shape))


def _cannot_open(runtime: str, path: Path, error: Exception) -> SeaformerError:
    return SeaformerError(
        f"{runtime} cannot open '{path}': {reason(error)}. The file is damaged or made for another "
        "version: export it again."
    )


def _require_one(inputs: int, path: Path) -> None:
    if inputs != 1:
        raise SeaformerError(f"'{path}' has {inputs} inputs. Allowed: one.")


def _any_shape(path: Path) -> SeaformerError:
    return SeaformerError(
        f"'{path}' takes an input of any size. A benchmark needs one of a fixed shape: export it "
        "with --input-size."
    )
