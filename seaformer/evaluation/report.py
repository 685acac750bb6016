"""The HTML page of an evaluation: one file that needs nothing else, neither network nor folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.datasets import Dataset
from seaformer.evaluation.models import Candidate
from seaformer.evaluation.pictures import Strip, draw_strips
from seaformer.evaluation.results import ClassResult, ModelResult, Results, judged
from seaformer.imaging.overlay import Color, class_color
from seaformer.reporting.page import write_page

TEMPLATE = "data/evaluation_report.html"

_CHANGES = 12
"""How many of the classes that changed most are listed for each compared model."""

_LEAST_CHANGE = 0.00005
"""Below it the change would be shown as zero."""


@dataclass(frozen=True)
class _Section:
    """What the page shows of one model.

    Attributes:
        model: its results.
        ranking: the classes that have a score, best first.
        changes: the classes that lost or won most against the reference, worst first.
        strips: the worst pictures.
    """

    model: ModelResult
    ranking: tuple[ClassResult, ...]
    changes: tuple[ClassResult, ...]
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class _ClassRow:
    """A line of the table of classes: a class, and how each model does on it."""

    name: str
    color: Color
    pixels: int
    share: float
    of_models: tuple[ClassResult, ...]


def write_report(
    path: Path, results: Results, dataset: Dataset, models: Sequence[Candidate]
) -> None:
    """Draw the page and write it. The models are run again for the pictures in it.

    Args:
        path: the file, which is replaced.
        results: what the page shows.
        dataset: what the models were evaluated on.
        models: in the order of `results`; the first of several is the reference.

    Raises:
        SeaformerError: a picture cannot be read any more.
        OSError: the file cannot be written.
    """
    sections = []
    for result, model in zip(results.models, models, strict=True):
        is_reference = len(models) > 1 and model is models[0]
        shown = [model] if len(models) == 1 else [models[0], model]
        worst = [] if is_reference else [(picture.name, picture.score) for picture in result.worst]
        sections.append(
            _Section(
                result,
                _ranking(result),
                _changes(result),
                tuple(draw_strips(dataset, shown, worst)),
            )
        )
    write_page(
        path,
        "seaformer",
        TEMPLATE,
        {"percent": _percent, "points": _points, "judged": judged},
        results=results,
        title=dataset.task.title,
        sections=sections,
        is_comparison=len(models) > 1,
        is_segmentation=dataset.task.is_segmentation,
        rows=_class_rows(results, dataset),
    )


def _ranking(model: ModelResult) -> tuple[ClassResult, ...]:
    scored = [result for result in model.classes if judged(result) is not None]
    return tuple(sorted(scored, key=lambda result: -(judged(result) or 0)))


def _changes(model: ModelResult) -> tuple[ClassResult, ...]:
    changed = [result for result in model.classes if abs(result.change or 0) >= _LEAST_CHANGE]
    most = sorted(changed, key=lambda result: -abs(result.change or 0))[:_CHANGES]
    return tuple(sorted(most, key=lambda result: result.change or 0))


def _class_rows(results: Results, dataset: Dataset) -> tuple[_ClassRow, ...]:
    """Return the lines of the classes that are in the truth or in what a model found."""
    total = sum(result.pixels for result in results.models[0].classes) or 1
    by_class = zip(*(model.classes for model in results.models), strict=True)
    return tuple(
        _ClassRow(
            name=first.name,
            color=class_color(first.index, dataset.task.palette),
            pixels=first.pixels,
            share=first.pixels / total,
            of_models=(first, *others),
        )
        for first, *others in by_class
        if any(judged(result) is not None for result in (first, *others))
    )


def _percent(share: float | None, digits: int = 2) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}"


def _points(change: float | None) -> str:
    """Write a difference of shares in points, with its sign; adding 0.0 makes -0.0 positive."""
    return "-" if change is None else f"{round(100 * change, 2) + 0.0:+.2f}"
