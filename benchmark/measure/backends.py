"""The one table of backends: it drives checks, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.artifact.accelerators import CPU, GPU, NPU, AcceleratorName
from seaformer.errors import UsageError, look_up

OFFICIAL_TOOL = "benchmark_model"


@dataclass(frozen=True)
class Backend:
    """What runs models on a device.

    Attributes:
        name: as given to --backend.
        title: to show to people.
        suffix: of the files it runs.
        runs_by: what starts and times it.
        single_runs: whether the time of every run is known, and with it an interval.
        description: one sentence for tables.
        runtime: the runtime as a plan of the runner names it, whose library is on the device; ""
            if our runner does not start it.
        accelerator: what computes, a name of `seaformer.artifact.accelerators`.
        has_half: whether it computes files of floating point in half precision on request
            (--half).
        falls_back: whether the CPU computes operators that the accelerator does not take, unless
            --require-full-acceleration forbids it.
    """

    name: str
    title: str
    suffix: str
    runs_by: str
    single_runs: bool
    description: str
    runtime: str = ""
    accelerator: AcceleratorName = CPU
    has_half: bool = False
    falls_back: bool = False


_ROWS = (
    Backend(
        "litert",
        "LiteRT",
        ".tflite",
        "our runner",
        True,
        "The default for .tflite: LiteRT's C API with XNNPACK on the processor.",
        runtime="litert",
        has_half=True,
    ),
    Backend(
        "onnxruntime",
        "ONNX Runtime",
        ".onnx",
        "our runner",
        True,
        "The default for .onnx: ONNX Runtime's C API, CPU provider.",
        runtime="onnxruntime",
    ),
    Backend(
        "litert-gpu",
        "LiteRT's GPU accelerator",
        ".tflite",
        "our runner",
        True,
        "The same on the GPU: OpenCL on phones (not tried on one yet), WebGPU on this computer, "
        "where a driver in software gives no latency.",
        runtime="litert",
        accelerator=GPU,
        has_half=True,
        falls_back=True,
    ),
    Backend(
        "onnxruntime-qnn",
        "ONNX Runtime's QNN provider",
        ".onnx",
        "our runner",
        True,
        "ONNX Runtime on a Snapdragon's NPU (not tried on a phone yet), with libraries that you "
        "give (--qairt); on this computer Qualcomm's emulator, whose times are no latency.",
        runtime="onnxruntime",
        accelerator=NPU,
        falls_back=True,
    ),
    Backend(
        "litert-npu",
        "LiteRT's NPU accelerator",
        ".tflite",
        "our runner",
        True,
        "LiteRT on a Snapdragon's NPU (not tried on a phone yet), for files that seaformer-export "
        "compiled for its chip, with libraries that you give (--qairt).",
        runtime="litert",
        accelerator=NPU,
        falls_back=True,
    ),
    Backend(
        OFFICIAL_TOOL,
        "benchmark_model",
        ".tflite",
        "the official binary, given with --binary",
        False,
        "TensorFlow Lite's tool, classic or LiteRT's newer one. It gives no single runs, so there "
        "is no interval, and models are not interleaved.",
    ),
)
BACKENDS: Mapping[str, Backend] = MappingProxyType({row.name: row for row in _ROWS})

ON_ACCELERATORS = tuple(row.name for row in _ROWS if row.accelerator != CPU)
"""Backends that compute on something else than the CPU."""

SUFFIXES = frozenset(row.suffix for row in _ROWS)

ON_NPU = tuple(row.name for row in _ROWS if row.accelerator == NPU)


def backend_on(accelerator: str, path: Path) -> Backend:
    """Return the backend, with our runner, that runs a file on an accelerator of a device.

    Raises:
        UsageError: there is none for the accelerator, or none for files of this suffix on it.
    """
    ours = [row for row in _ROWS if row.accelerator == accelerator and row.name != OFFICIAL_TOOL]
    for row in ours:
        if row.suffix == path.suffix.lower():
            return row
    known = f"files of type {', '.join(row.suffix for row in ours)}" if ours else "none"
    raise UsageError(
        f"no backend runs '{path}' on the {accelerator} of a device. Allowed there: {known}. "
        "Export another format, or choose another --accelerator."
    )


def backend_for(paths: tuple[Path, ...], wanted: str | None) -> Backend:
    """Return the backend for one or more files, as given to --backend or by the first one.

    Without --backend its suffix decides, and whether it is compiled for an NPU.

    Raises:
        UsageError: no backend runs them all.
    """
    from seaformer.runtimes.compiled_file import is_compiled  # heavy, and --help has this table

    first = paths[0].suffix.lower()
    is_for_npu = first in SUFFIXES and is_compiled(paths[0])
    rows = [row for row in _ROWS if (row.accelerator == NPU) == is_for_npu]
    by_suffix = {row.suffix: row for row in reversed(rows)}
    if wanted is not None:
        backend = look_up(BACKENDS, "backend", wanted)
    elif first in by_suffix:
        backend = by_suffix[first]
    else:
        raise UsageError(
            f"'{paths[0]}' is no exported model by its suffix. Allowed: "
            f"{', '.join(sorted(by_suffix))}. Make one with seaformer-export."
        )
    if is_for_npu and backend.accelerator != NPU:
        raise UsageError(
            f"'{paths[0]}' is compiled for an NPU, and backend {backend.name} does not use one. "
            f"Leave --backend out, or take {by_suffix[first].name}."
        )
    for path in paths:
        if path.suffix.lower() != backend.suffix:
            raise UsageError(
                f"'{path}' does not go with backend {backend.name}, which runs {backend.suffix} "
                "files. Measure files of different runtimes in a command each: they cannot be "
                "interleaved in one process."
            )
    return backend
