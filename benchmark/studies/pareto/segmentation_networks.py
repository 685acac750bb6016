"""SeaFormers and the segmentation networks that are published as their peers."""

from collections.abc import Sequence

from seaformer.benchmark.results.published import FIGURES, SIDE, TASK, figure_of
from seaformer.benchmark.results.schema import ModelResult
from seaformer.benchmark.studies.pareto.pareto_results import SEAFORMER
from seaformer.benchmark.studies.pareto.pareto_task import (
    ParetoTask,
    Published,
    is_in_floating_point,
)
from seaformer.benchmark.studies.study import Export
from seaformer.models.phones import PHONES
from seaformer.models.registry import REGISTRY


def networks() -> Sequence[Export]:
    """Return the export of every network in single precision, with random weights."""
    return [
        Export(figure.title, ("--model", name, "--task", TASK, "--input-size", str(SIDE)))
        for name, figure in FIGURES.items()
    ]


def published(model: ModelResult) -> Published | str:
    """Return the published figures of a model, or why there are none."""
    figure = figure_of(model)
    if figure is None:
        return "there are no published figures for its network, task, size and head"
    if not is_in_floating_point(model):
        return f"the published mIoU is not for {model.precision}"
    return Published(
        title=figure.title,
        family=family_of(figure.title),
        score=figure.miou,
        source=figure.miou_source,
        latencies_ms=figure.latencies_ms,
    )


def family_of(title: str) -> str:
    """Return the design of a network: the part of its title before the size."""
    network = next((one for one in REGISTRY.values() if one.title == title), None)
    if network is None:
        return title
    return SEAFORMER if network.variant is not None else network.family


ADE20K = ParetoTask(
    metric="mIoU",
    data="ADE20K val, 512x512, from input to logits",
    base=FIGURES["seaformer-tiny"].title,
    networks=networks,
    published=published,
    phones=tuple(PHONES),
)
