"""The one table of backends: it drives checks, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.errors import UsageError, look_up

OFFICIAL_TOOL = "benchmark_model"


@dataclass(frozen=True)
class Backend:
    """What runs models on a device.

    Attributes:
        name: as given to --backend.
        title: name to show to people.
        suffix: of the files it runs.
        runs_by: what starts and times it.
        single_runs: whether the time of every run is known, and with it an interval.
        description: one sentence for tables.
    """

    name: str
    title: str
    suffix: str
    runs_by: str
    single_runs: bool
    description: str


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {
        "litert": Backend(
            "litert",
            "LiteRT",
            ".tflite",
            "our runner",
            True,
            "The default for .tflite: LiteRT's C API with XNNPACK on the processor.",
        ),
        "onnxruntime": Backend(
            "onnxruntime",
            "ONNX Runtime",
            ".onnx",
            "our runner",
            True,
            "The default for .onnx: ONNX Runtime's C API, CPU provider.",
        ),
        OFFICIAL_TOOL: Backend(
            OFFICIAL_TOOL,
            "benchmark_model",
            ".tflite",
            "the official binary, given with --binary",
            False,
            "TensorFlow Lite's tool, classic or LiteRT's newer one. It gives no single runs, so "
            "there is no interval, and models are not interleaved.",
        ),
    }
)


def backend_for(paths: tuple[Path, ...], wanted: str | None) -> Backend:
    """Return the backend for model files.

    Args:
        paths: one or more files.
        wanted: as given to --backend; None to tell it by the suffix.

    Raises:
        UsageError: no backend runs them all.
    """
    first = paths[0].suffix.lower()
    if wanted is not None:
        backend = look_up(BACKENDS, "backend", wanted)
    else:
        for backend in BACKENDS.values():
            if backend.suffix == first:
                break
        else:
            suffixes = ", ".join(sorted({known.suffix for known in BACKENDS.values()}))
            raise UsageError(
                f"'{paths[0]}' is no exported model by its suffix. Allowed: {suffixes}. Make one "
                "with seaformer-export."
            )
    for path in paths:
        if path.suffix.lower() != backend.suffix:
            raise UsageError(
                f"'{path}' does not go with backend {backend.name}, which runs {backend.suffix} "
                "files. Measure files of different runtimes in a command each: they cannot be "
                "interleaved in one process."
            )
    return backend
