"""Running .onnx files on Qualcomm's emulator of Hexagon NPUs, through ONNX Runtime.

It computes the same results as the NPU of a chip, including half precision; its latency is
meaningless.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnxruntime

from seaformer.artifact.chips import CHIPS, Chip
from seaformer.artifact.metadata import Metadata
from seaformer.errors import SeaformerError, UsageError, look_up, quoted
from seaformer.runtimes.compiled_file import is_compiled, read_compilation, require_binary
from seaformer.runtimes.onnx_runtime import OnnxSession, load, session_options
from seaformer.runtimes.qnn_package import (
    PROVIDER,
    is_newer,
    package_version,
    provider_options,
    qnn_version,
    require_package,
)
from seaformer.runtimes.session import Array


class QnnSession(OnnxSession):
    """An .onnx file on the emulator, either compiled or to be compiled for a chip.

    Args:
        path: path of the file.
        threads: threads for operators that the NPU does not support.
        chip: chip to compile for; None for a compiled file.
    """

    def __init__(self, path: Path, threads: int, chip: Chip | None) -> None:
        require_package()
        name = None if chip is None else chip.name
        if is_compiled(path):
            name, chip = _check_compiled(path, chip), None
        elif chip is None:
            raise UsageError(
                f"'{path}' is not compiled for an NPU. Give the chip to compile it for with --soc: "
                f"{', '.join(CHIPS)}."
            )
        self._chip = chip
        super().__init__(path, threads)
        self.runtime = (
            f"ONNX Runtime {onnxruntime.__version__}, onnxruntime-qnn {package_version()} "
            f"(QNN {qnn_version()}), emulator" + ("" if name is None else f" of {name}")
        )
        metadata = self.metadata
        if chip is None and isinstance(metadata, Metadata):
            # The scales of integers are inside the compiled graph.
            self.inputs = (replace(self.inputs[0], integers=metadata.input.quantization),)
            self.outputs = (replace(self.outputs[0], integers=metadata.output.quantization),)

    def computed_by(self, operator: int) -> str:  # noqa: ARG002
        """Raise SeaformerError: the NPU returns only outputs."""
        raise self._outputs_only()

    def fetch(self, keys: Sequence[str], inputs: Sequence[Array]) -> list[Array]:  # noqa: ARG002
        """Raise SeaformerError: the NPU returns only outputs."""
        raise self._outputs_only()

    def _load(self, model: str | bytes, optimized: bool = True) -> onnxruntime.InferenceSession:
        return load_on_npu(model, session_options(self._threads, optimized), self._chip)


def load_on_npu(
    model: str | bytes, settings: onnxruntime.SessionOptions, chip: Chip | None
) -> onnxruntime.InferenceSession:
    """Load a file to run on the NPU, with unsupported operators on the CPU.

    `chip` is None for a compiled file.
    """
    import onnxruntime_qnn

    if PROVIDER not in {device.ep_name for device in onnxruntime.get_ep_devices()}:
        onnxruntime.register_execution_provider_library(
            PROVIDER, onnxruntime_qnn.get_library_path()
        )
    devices = [one for one in onnxruntime.get_ep_devices() if one.ep_name == PROVIDER]
    settings.add_provider_for_devices(devices[:1], provider_options(chip))
    return load(model, settings, providers=None)


def open_session(path: Path, threads: int, chip: str | None = None) -> QnnSession:
    """Load the file; see `seaformer.runtimes.open_session`. `chip` is the name of a chip."""
    return QnnSession(path, threads, None if chip is None else look_up(CHIPS, "chip", chip))


def _check_compiled(path: Path, requested: Chip | None) -> str | None:
    """Check that a compiled file can run on this emulator; return its chip, None if unknown.

    Raises:
        UsageError: it is compiled for a chip other than the requested one.
        SeaformerError: it was compiled by newer libraries, or its binary is missing or different.
    """
    compilation = read_compilation(path)
    if compilation is None:
        return None
    if requested is not None and requested.name != compilation.chip:
        raise UsageError(
            f"'{path}' is compiled for {quoted(compilation.chip)}, but --soc is "
            f"{requested.name}. Omit --soc, or compile the model for {requested.name}."
        )
    if is_newer(compilation.qnn_version, qnn_version()):
        raise SeaformerError(
            f"'{path}' was compiled with QNN {compilation.qnn_version}, but the emulator has QNN "
            f"{qnn_version()}, which cannot read newer files. Run: pip install --upgrade "
            "onnxruntime-qnn"
        )
    require_binary(path, compilation)
    return compilation.chip
