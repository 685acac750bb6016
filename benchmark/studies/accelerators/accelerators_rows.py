"""The rows of the table: on what, with how many threads and in which precision a file is run."""

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
"""A file, or the name of a network, which is exported as a .tflite."""


@dataclass(frozen=True)
class RowKind:
    """A row: its name in files, its title, what computes and how.

    `missing` is why it is not run where no file is given that goes there, and what to do.
    """

    name: str
    title: str
    accelerator: AcceleratorName
    missing: str
    threads: int = 1
    half: bool = False

    def backend(self, model: Model) -> Backend | None:
        """Return what runs a model here; None if it is not a file for this row."""
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
            return None  # A file that is compiled for an NPU runs nowhere else, and no other there.
        try:
            return backend_on(self.accelerator, path)
        except SeaformerError:
            return None

    def options(self, options: Options, model: Model, backend: Backend) -> Options:
        """Return the options that a model is measured with."""
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
    """Return options without those that are of an NPU alone."""
    return replace(options, qairt=None, soc=None, npu_power=BURST)


_NO_PLAIN_FILE = "only files compiled for an NPU are given. Add the .tflite they were made of."

ROWS: Sequence[RowKind] = (
    RowKind("cpu-1", "CPU, 1 thread", CPU, _NO_PLAIN_FILE),
    RowKind("cpu-4", "CPU, 4 threads", CPU, _NO_PLAIN_FILE, threads=4),
    RowKind("gpu-single", "GPU, single precision", GPU, "no .tflite for it is given. Add one."),
    RowKind(
        "gpu-half", "GPU, half precision", GPU, "no .tflite for it is given. Add one.", half=True
    ),
    RowKind(
        "npu",
        "NPU",
        NPU,
        "no file is given that was compiled for an NPU. Make one with seaformer-export "
        "--accelerator npu --soc CHIP, and add it.",
    ),
)
