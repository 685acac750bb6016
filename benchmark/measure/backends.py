"""The one table of backends: it drives checks, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seaformer.errors import UsageError, look_up

OFFICIAL_TOOL = "benchmark_model"


@dataclass(frozen=True)
class Backend:
    """What runs models on a device."""

    name: str  # as given to --backend
    title: str  # to show to people
    suffix: str  # of the files it runs
    runs_by: str  # what starts and times it
    single_runs: bool  # whether the time of every run is known, and with it an interval
    description: str  # one sentence for tables


_ROWS = (
    Backend(
        "litert",
        "LiteRT",
        ".tflite",
        "our runner",
        True,
        "The default for .tflite: LiteRT's C API with XNNPACK on the processor.",
    ),
    Backend(
        "onnxruntime",
        "ONNX Runtime",
        ".onnx",
        "our runner",
        True,
        "The default for .onnx: ONNX Runtime's C API, CPU provider.",
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


def backend_for(paths: tuple[Path, ...], wanted: str | None) -> Backend:
    """Return the backend for one or more files, as given to --backend or by the first's suffix.

    Raises:
        UsageError: no backend runs them all.
    """
    by_suffix = {row.suffix: row for row in reversed(_ROWS)}
    first = paths[0].suffix.lower()
    if wanted is not None:
        backend = look_up(BACKENDS, "backend", wanted)
    elif first in by_suffix:
        backend = by_suffix[first]
    else:
        raise UsageError(
            f"'{paths[0]}' is no exported model by its suffix. Allowed: "
            f"{', '.join(sorted(by_suffix))}. Make one with seaformer-export."
        )
    for path in paths:
        if path.suffix.lower() != backend.suffix:
            raise UsageError(
                f"'{path}' does not go with backend {backend.name}, which runs {backend.suffix} "
                "files. Measure files of different runtimes in a command each: they cannot be "
                "interleaved in one process."
            )
    return backend
