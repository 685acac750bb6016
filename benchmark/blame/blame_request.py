"""The request for a search, validated before any work is done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from seaformer.artifact.accelerators import ACCELERATORS, NPU
from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.measure.backends import Backend, backend_on
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request
from seaformer.benchmark.results.blame_results import BLAME_NAME, BLAME_PAGE_NAME
from seaformer.errors import UsageError
from seaformer.extraction.differences import ACCUMULATED, EXACT, HALF_CHAIN, Tolerance
from seaformer.extraction.graph_description import GraphDescription
from seaformer.files import refuse_existing
from seaformer.runtimes.compiled_file import is_compiled

_WITHOUT: Mapping[str, str] = MappingProxyType(
    {
        "table": "--table",
        "variant": "--variant",
        "backend": "--backend",
        "runs": "--runs",
        "until": "--until",
        "compare": "--compare",
        "strict": "--strict",
        "junit": "--junit",
        "breakdown": "--breakdown",
        "frame_size": "--frame",
        "binary": "--binary",
    }
)
"""Field of `Options` -> option, for options that have no effect on a search."""


@dataclass(frozen=True)
class BlameRequest:
    """A validated request.

    Attributes:
        options: options of the command.
        file: the file to search.
        accelerator: "cpu", "gpu" or "npu".
        backend: the backend that runs it on the accelerator.
        output: folder for the results.
    """

    options: Options
    file: Path
    accelerator: str
    backend: Backend
    output: Path

    @property
    def computes_half(self) -> bool:
        """Whether floating-point files are computed in half precision."""
        return self.options.half or ACCELERATORS[self.accelerator].has_half_only

    def tolerance(self, graph: GraphDescription, metadata: Metadata | None) -> Tolerance:
        """Return how far tensors of the file may differ from the reference."""
        if graph.is_quantized:
            return ACCUMULATED
        known = None if metadata is None else PRECISIONS.get(metadata.precision)
        stores_half = known is not None and known.weights == "float16"
        return HALF_CHAIN if self.computes_half or stores_half else EXACT


def make_blame_request(options: Options) -> BlameRequest:
    """Validate the options.

    Raises:
        UsageError: an option cannot be combined with --blame, the number of files is not one, or no
            backend runs the file on the accelerator.
    """
    accelerator = options.blame or ""
    for name, option in _WITHOUT.items():
        if getattr(options, name) not in (None, False):
            raise UsageError(f"{option} cannot be combined with --blame, which does not measure.")
    if len(options.models) != 1 or not options.models[0].is_file():
        given = ", ".join(f"'{one}'" for one in options.models) or "nothing"
        raise UsageError(f"--blame takes one .tflite or .onnx that exists, not {given}.")
    file = options.models[0]
    backend = backend_on(accelerator, file)
    if is_compiled(file) or (accelerator == NPU and file.suffix.lower() == ".tflite"):
        raise UsageError(
            f"--blame {accelerator} cannot truncate '{file}', which is compiled into one operator "
            "for an NPU. Give the .onnx that it was compiled from."
        )
    make_request(replace(options, backend=backend.name))  # validates all other options
    output = options.output or Path("build", "blame", f"{datetime.now():%Y%m%d-%H%M%S}")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output '{output}' is not a folder. Give a folder.")
    if output.exists():
        for name in (BLAME_NAME, BLAME_PAGE_NAME):
            refuse_existing(output / name, options.force)
    return BlameRequest(options, file, accelerator, backend, output)


def require_truncatable(file: Path, graph: GraphDescription) -> None:
    """Refuse a file that cannot be truncated.

    Raises:
        UsageError: it keeps state between runs, or has no operators that depend on its input.
    """
    if graph.has_state:
        raise UsageError(
            f"'{file}' keeps state between runs, so it cannot be truncated. Export it without "
            "variables."
        )
    if not graph.computing:
        raise UsageError(f"'{file}' has no operator that depends on its input. Give another file.")
