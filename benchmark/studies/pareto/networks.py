"""Which networks are compared: all that have a published mIoU and latency."""

from pathlib import Path

from seaformer.benchmark.results.published import FIGURES, SIDE, TASK
from seaformer.benchmark.studies.study import Export
from seaformer.models.registry import REGISTRY

SEAFORMER = "SeaFormer"


def networks() -> list[Path | Export]:
    """Return the export of every network in single precision, with random weights."""
    return [Export(figure.title, _arguments(name)) for name, figure in FIGURES.items()]


def family_of(title: str) -> str:
    """Return the design that a network belongs to, by its title: what stands before its size."""
    network = next((one for one in REGISTRY.values() if one.title == title), None)
    if network is None:
        return title
    return SEAFORMER if network.variant is not None else network.family


def _arguments(name: str) -> tuple[str, ...]:
    return "--model", name, "--task", TASK, "--input-size", str(SIDE)
