"""The rows of the table: accelerator, number of threads and precision."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seaformer.artifact.accelerators import CPU, GPU, NPU, AcceleratorName
from seaformer.benchmark.measure.backends import BACKENDS, Backend, backend_for, backend_on
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.power_modes import BURST
from seaformer.benchmark.measure.request import DEFAULT_BACKEND
from seaformer.errors import SeaformerError

Model = Path | str
"""A file, or the name of a network to export as a .tflite."""


@dataclass(frozen=True)
class RowKind:
    """A row: its name in files, its title, its accelerator and settings.

    `missing` is the reason for not running it if no given file supports it, with advice.
    """

    name: str
    title: str
    accelerator: AcceleratorName
    missing: str
    threads: int = 1
    half: bool = False

    def backend(self, model: Model) -> Backend | None:
        """Return the backend that runs a model in this row; None if the row does not support it."""
        if isinstance(model, str):
            usual, path = (
                BACKENDS[DEFAULT_BACKEND],
                Path(f"{model}{BACKENDS[DEFAULT_BACKEND].suffix}"),
            )
        else:
            usual, path = backend_for((model,), None), model
        if usual.accelerator == self.accelerator:
            return usual
        if NPU in (usual.accelerator, self.accelerator):
            return None  # Files compiled for an NPU run only there, and only they run there.
        try:
            return backend_on(self.accelerator, path)
        except SeaformerError:
            return None

    def options(self, options: Options, model: Model, backend: Backend) -> Options:
        """Return the options for measuring a model."""
        changed = replace(
            options,
            models=(Path(model),),
            table=None,
            variant=None,
            backend=backend.name,
            threads=self.threads,
            half=self.half,
        )
        if self.accelerator == CPU:
            changed = replace(changed, require_full_acceleration=False)
        return changed if self.accelerator == NPU else without_npu(changed)


def without_npu(options: Options) -> Options:
    """Return options without those that are only for an NPU."""
    return replace(options, qairt=None, soc=None, npu_power=BURST)


_NO_PLAIN_FILE = "all given files are compiled for an NPU. Add the .tflite they were compiled from."

ROWS: Sequence[RowKind] = (
    RowKind("cpu-1", "CPU, 1 thread", CPU, _NO_PLAIN_FILE),
    RowKind("cpu-4", "CPU, 4 threads", CPU, _NO_PLAIN_FILE, threads=4),
    RowKind("gpu-single", "GPU, single precision", GPU, "no .tflite for it was given. Add one."),
    RowKind(
        "gpu-half", "GPU, half precision", GPU, "no .tflite for it was given. Add one.", half=True
    ),
    RowKind(
        "npu",
        "NPU",
        NPU,
        "no given file is compiled for an NPU. Create one with seaformer-export "
        "--accelerator npu --soc CHIP, and add it.",
    ),
)
