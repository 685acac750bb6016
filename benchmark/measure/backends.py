"""Registry of backends, used by checks, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.artifact.accelerators import CPU, GPU, NPU, AcceleratorName
from seaformer.errors import UsageError, look_up

OFFICIAL_TOOL = "benchmark_model"


@dataclass(frozen=True)
class Backend:
    """A way to run models on a device.

    Attributes:
        name: value of --backend.
        title: display name.
        suffix: suffix of the files it runs.
        runs_by: the program that runs and times models.
        single_runs: whether it reports every run, which an interval needs.
        description: one sentence for tables.
        runtime: name of the runtime in a plan of the runner; "" if our runner is not used.
        accelerator: a name of `seaformer.artifact.accelerators`.
        has_half: whether it can compute floating-point files in half precision (--half).
        falls_back: whether the CPU runs operators that the accelerator does not support, unless
            --require-full-acceleration is given.
        cache: the runtime's compilation cache, which makes later starts faster; empty without one.
        no_cache: that there is none, and why.
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
    cache: str = ""
    no_cache: str = ""


_ROWS = (
    Backend(
        "litert",
        "LiteRT",
        ".tflite",
        "our runner",
        True,
        "The default for .tflite: LiteRT's C API with XNNPACK on the CPU.",
        runtime="litert",
        has_half=True,
        cache="XNNPACK's weight cache: a file with the weights in the order of its kernels",
    ),
    Backend(
        "onnxruntime",
        "ONNX Runtime",
        ".onnx",
        "our runner",
        True,
        "The default for .onnx: ONNX Runtime's C API with the CPU execution provider.",
        runtime="onnxruntime",
        cache="the model with ONNX Runtime's optimizations, saved by an earlier start, and loaded "
        "without optimizing again",
    ),
    Backend(
        "litert-gpu",
        "LiteRT's GPU accelerator",
        ".tflite",
        "our runner",
        True,
        "LiteRT on the GPU: OpenCL on phones (not yet tested on one), WebGPU on this computer, "
        "where times with a software driver are not latency.",
        runtime="litert",
        accelerator=GPU,
        has_half=True,
        falls_back=True,
        cache="LiteRT's serialized GPU programs and weights",
    ),
    Backend(
        "onnxruntime-qnn",
        "ONNX Runtime's QNN provider",
        ".onnx",
        "our runner",
        True,
        "ONNX Runtime on a Snapdragon NPU (not yet tested on a phone), with libraries given by "
        "--qairt; on this computer Qualcomm's emulator, whose times are not latency.",
        runtime="onnxruntime",
        accelerator=NPU,
        falls_back=True,
        cache="the QNN context binary, the compiled model inside an .onnx",
    ),
    Backend(
        "litert-npu",
        "LiteRT's NPU accelerator",
        ".tflite",
        "our runner",
        True,
        "LiteRT on a Snapdragon NPU (not yet tested on a phone), for files that seaformer-export "
        "compiled for its chip, with libraries given by --qairt.",
        runtime="litert",
        accelerator=NPU,
        falls_back=True,
        no_cache="none, because the file is compiled for its chip already",
    ),
    Backend(
        OFFICIAL_TOOL,
        "benchmark_model",
        ".tflite",
        "the official binary, given with --binary",
        False,
        "TensorFlow Lite's tool, classic or LiteRT's newer one. It does not report individual "
        "runs, so there is no interval, and models are not interleaved.",
        no_cache="none, because our runner does not run it",
    ),
)
BACKENDS: Mapping[str, Backend] = MappingProxyType({row.name: row for row in _ROWS})

ON_ACCELERATORS = tuple(row.name for row in _ROWS if row.accelerator != CPU)
"""Backends that use an accelerator."""

SUFFIXES = frozenset(row.suffix for row in _ROWS)

ON_NPU = tuple(row.name for row in _ROWS if row.accelerator == NPU)


def backend_on(accelerator: str, path: Path) -> Backend:
    """Return the backend of our runner that runs a file on an accelerator of a device.

    Raises:
        UsageError: no backend supports the accelerator, or files with this suffix on it.
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
    """Return the backend for one or more files, as given to --backend or by the first file.

    Without --backend, the choice depends on the suffix, and on whether it is compiled for an NPU.

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
            f"'{paths[0]}' is not an exported model ({' or '.join(sorted(by_suffix))}). Create "
            "one with seaformer-export."
        )
    if is_for_npu and backend.accelerator != NPU:
        raise UsageError(
            f"'{paths[0]}' is compiled for an NPU, and backend {backend.name} does not use one. "
            f"Omit --backend, or use {by_suffix[first].name}."
        )
    for path in paths:
        if path.suffix.lower() != backend.suffix:
            raise UsageError(
                f"backend {backend.name} cannot run '{path}': it runs {backend.suffix} files. "
                "Measure files for different runtimes with separate commands: they cannot be "
                "interleaved in one process."
            )
    return backend
