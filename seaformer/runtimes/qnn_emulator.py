"""Running .onnx files on Qualcomm's emulator of Hexagon NPUs, through ONNX Runtime.

It computes what the NPU of a chip computes, half precision and all; times say nothing.
"""

from dataclasses import replace
from pathlib import Path

import onnxruntime

from seaformer.artifact.chips import CHIPS, Chip
from seaformer.artifact.metadata import Metadata
from seaformer.errors import UsageError, look_up
from seaformer.runtimes.compiled_file import is_compiled
from seaformer.runtimes.onnx_runtime import OnnxSession, session_options
from seaformer.runtimes.qnn_package import (
    PROVIDER,
    package_version,
    provider_options,
    qnn_version,
    require_package,
)


class QnnSession(OnnxSession):
    """An .onnx file on the emulator: one that is compiled, or any other one for a chip.

    Args:
        path: of the file.
        threads: for the operators that the NPU does not take.
        chip: what to compile for; None for a file that is compiled.
    """

    def __init__(self, path: Path, threads: int, chip: Chip | None) -> None:
        if chip is None and not is_compiled(path):
            raise UsageError(
                f"'{path}' is not compiled for an NPU. Give the chip to compile it for: --soc, one "
                f"of {', '.join(CHIPS)}."
            )
        require_package()
        self._chip = chip
        super().__init__(path, threads)
        where = "" if chip is None else f", {chip.name}"
        self.runtime = (
            f"ONNX Runtime {onnxruntime.__version__}, onnxruntime-qnn {package_version()} "
            f"(QNN {qnn_version()}), emulator{where}"
        )
        metadata = self.metadata
        if chip is None and isinstance(metadata, Metadata):
            # The scales are inside what is compiled.
            self.inputs = (replace(self.inputs[0], integers=metadata.input.quantization),)
            self.outputs = (replace(self.outputs[0], integers=metadata.output.quantization),)

    def _load(self, model: str | bytes, optimized: bool = True) -> onnxruntime.InferenceSession:
        settings = session_options(self._threads, optimized)
        register_provider(settings, self._chip)
        return onnxruntime.InferenceSession(model, settings)


def register_provider(settings: onnxruntime.SessionOptions, chip: Chip | None) -> None:
    """Let a session run on the NPU what it takes, and the rest on the CPU."""
    import onnxruntime_qnn

    if PROVIDER not in {device.ep_name for device in onnxruntime.get_ep_devices()}:
        onnxruntime.register_execution_provider_library(
            PROVIDER, onnxruntime_qnn.get_library_path()
        )
    devices = [one for one in onnxruntime.get_ep_devices() if one.ep_name == PROVIDER]
    settings.add_provider_for_devices(devices[:1], provider_options(chip))


def open_session(path: Path, threads: int, chip: str | None = None) -> QnnSession:
    """Load the file; see `seaformer.runtimes.open_session`. `chip` is the name of one."""
    return QnnSession(path, threads, None if chip is None else look_up(CHIPS, "chip", chip))
