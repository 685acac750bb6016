"""Running .tflite files on LiteRT's GPU accelerator, through WebGPU and a Vulkan driver.

Its operators come from the same source (ML Drift) as those that phones run through OpenCL, and it
shares the faults in how it reads files. Latency is meaningless: the driver may be in software.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.gpu_options import GpuOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import Options

from seaformer.artifact.embedding import tflite_text
from seaformer.errors import SeaformerError
from seaformer.runtimes.child_server import let_files_grow
from seaformer.runtimes.graphics_driver import require_driver
from seaformer.runtimes.litert import LiteRTSession
from seaformer.runtimes.session import Array, Session, reason


class LiteRTGpuSession(Session):
    """A .tflite file with static shapes, entirely on the GPU.

    Args:
        path: path of the file.
        in_half: whether to compute in half precision, the default on phones, if the driver
            supports it; otherwise in single precision.
    """

    def __init__(self, path: Path, in_half: bool) -> None:
        self.path = path
        driver = require_driver()  # named by the environment, which the parent process has set
        self.runtime = f"LiteRT {version('ai-edge-litert')} GPU accelerator, {driver.title}"
        self.metadata_text = tflite_text(path)
        with LiteRTSession(path, threads=1) as on_cpu:
            self.inputs, self.outputs = on_cpu.inputs, on_cpu.outputs
        self._shapes = [tuple(side or 0 for side in tensor.shape) for tensor in self.outputs]
        if any(None in tensor.shape for tensor in (*self.inputs, *self.outputs)):
            raise SeaformerError(f"'{path}' has no static shapes, which the GPU needs.")
        # Mesa's drivers back GPU memory by unnamed files, to which the limit applies: a write
        # beyond it ends the process with a bus error.
        let_files_grow()
        options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=not in_half))
        try:
            self._model: CompiledModel | None = CompiledModel.from_file(str(path), options=options)
            self._given = self._model.create_input_buffers(0)
            self._computed = self._model.create_output_buffers(0)
        except (RuntimeError, ValueError) as error:
            raise SeaformerError(
                f"LiteRT's GPU accelerator rejects '{path}': {reason(error)}."
            ) from error
        if not self._model.is_fully_accelerated():
            raise SeaformerError(
                f"LiteRT's GPU accelerator does not support every operator of '{path}'. "
                f"Run: seaformer-export --lint {path}"
            )

    def resize(self, shape: Sequence[int]) -> None:
        """Accept only the static shape of the model."""
        if tuple(shape) != self.inputs[0].shape:
            raise SeaformerError(f"'{self.path}' has a static shape on the GPU.")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        if self._model is None:
            raise SeaformerError(f"'{self.path}' is closed. Open it again.")
        try:
            for buffer, array in zip(self._given, inputs, strict=True):
                buffer.write(np.ascontiguousarray(array))
            self._model.run_by_index(0, self._given, self._computed)
            return [
                buffer.read(math.prod(shape), np.dtype(tensor.dtype)).reshape(shape)
                for buffer, tensor, shape in zip(
                    self._computed, self.outputs, self._shapes, strict=True
                )
            ]
        except (RuntimeError, ValueError) as error:
            raise SeaformerError(
                f"LiteRT's GPU accelerator cannot run '{self.path}': {reason(error)}."
            ) from error

    def close(self) -> None:
        """Free the memory of the model."""
        self._model = None


def open_session(path: Path, _threads: int) -> LiteRTGpuSession:
    """Load the file; see `seaformer.runtimes.open_session`. The GPU ignores `_threads`."""
    return LiteRTGpuSession(path, in_half=False)


def open_half_session(path: Path, _threads: int) -> LiteRTGpuSession:
    """Load the file to compute in half precision."""
    return LiteRTGpuSession(path, in_half=True)
