"""Which networks are exported for the comparison: all that have a published mIoU and latency."""

from collections.abc import Callable, Sequence
from pathlib import Path

from seaformer.benchmark.exports import export_models
from seaformer.benchmark.published import FIGURES, SIDE, TASK
from seaformer.benchmark.studies.pareto.schema import LeftOut
from seaformer.errors import SeaformerError
from seaformer.models.registry import REGISTRY

SEAFORMER = "SeaFormer"


def export_networks(
    suffix: str, folder: Path, *, force: bool, tell: Callable[[str], None]
) -> tuple[tuple[Path, ...], tuple[LeftOut, ...]]:
    """Export every network in single precision, with random weights.

    Args:
        suffix: ".tflite" or ".onnx".
        folder: where the files go.
        force: whether files are overwritten.
        tell: takes what is being exported.

    Returns:
        The files, SeaFormers first, and what cannot be exported, with the reason.
    """
    format = suffix.removeprefix(".")
    paths: list[Path] = []
    left_out = []
    for name, figure in FIGURES.items():
        tell(f"exporting {figure.title}")
        try:
            paths += export_models(_arguments(name, format, force), folder, lambda _: None)
        except SeaformerError as error:
            left_out.append(LeftOut(title=figure.title, reason=str(error)))
    return tuple(paths), tuple(left_out)


def family_of(title: str) -> str:
    """Return the design that a network belongs to, by its title: what stands before its size."""
    network = next((one for one in REGISTRY.values() if one.title == title), None)
    if network is None:
        return title
    return SEAFORMER if network.variant is not None else network.family


def _arguments(name: str, format: str, force: bool) -> Sequence[str]:
    arguments = ["--model", name, "--task", TASK, "--input-size", str(SIDE), "--format", format]
    return [*arguments, *(["--force"] if force else [])]
