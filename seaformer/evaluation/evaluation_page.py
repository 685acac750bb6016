"""The HTML report of an evaluation: scores, classes, mistakes and the worst images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.datasets import Dataset
from seaformer.evaluation.models import Candidate
from seaformer.evaluation.results import ClassResult, ModelResult, Results, class_score
from seaformer.evaluation.strips import Strip, draw_strips
from seaformer.imaging.overlay import Color, class_color
from seaformer.reporting.numbers import percent, points
from seaformer.reporting.page import Page, commands_of
from seaformer.reporting.plots import Rows, bars
from seaformer.reporting.verdicts import changed

_CHANGES = 12
"""Number of most changed classes that are listed for each compared model."""

_MIN_CHANGE = 0.00005
"""Smaller changes would be rounded to zero."""


@dataclass(frozen=True)
class _Section:
    """The section of one model: its results and its worst images.

    `ranking` has a bar for each class with a score, best first; `changes` one for each of the
    classes that changed most against the reference, worst first.
    """

    model: ModelResult
    ranking: Rows
    changes: Rows
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class _ClassRow:
    """A row of the table of classes.

    `pixels` counts the pixels of the class in the ground truth, or its images in classification;
    `share` is their share of all, 0..1. `of_models` has each model's score and result for the
    class.
    """

    name: str
    color: Color
    pixels: int
    share: float
    of_models: tuple[tuple[float | None, ClassResult], ...]


@dataclass(frozen=True)
class EvaluationPage(Page, template="evaluation.html"):
    """The page, titled after the task; the first of several sections is the reference's.

    The rows are the classes that occur in the ground truth or in an output.
    """

    results: Results
    title: str
    sections_of_models: list[_Section]
    rows: tuple[_ClassRow, ...]


def write_report(
    path: Path,
    results: Results,
    dataset: Dataset,
    models: Sequence[Candidate],
    command: str | None = None,
) -> None:
    """Write the page; the models are run again on the images that it shows.

    The models are in the order of `results`; the first of several is the reference. An existing
    file is replaced.

    Args:
        path: path of the page.
        results: results of the evaluation.
        dataset: the evaluated images.
        models: the open models.
        command: the command line; None if there is none.

    Raises:
        SeaformerError: an image can no longer be read.
        OSError: the file cannot be written.
    """
    sections = []
    for result, model in zip(results.models, models, strict=True):
        is_reference = len(models) > 1 and model is models[0]
        shown = [model] if len(models) == 1 else [models[0], model]
        worst = [] if is_reference else [(image.name, image.score) for image in result.worst]
        sections.append(
            _Section(
                result,
                _ranking(result),
                _changes(result),
                tuple(draw_strips(dataset, shown, worst)),
            )
        )
    page = EvaluationPage(
        verdict=verdict(results),
        commands=commands_of(command),
        results=results,
        title=dataset.task.title,
        sections_of_models=sections,
        rows=_class_rows(results, dataset),
    )
    page.write(path)


def verdict(results: Results) -> list[str]:
    """State the main score of every model, and its difference from the reference."""
    first = results.models[0]
    sentences = []
    for model in results.models:
        name, score = _main_score(results, model)
        text = f"{model.name}: {name} {percent(score)} %" if score is not None else ""
        if model is not first:
            found = model.difference
            points, low, high = (
                (None, None, None) if found is None else (found.points, found.low, found.high)
            )
            ends = None if low is None or high is None else (low, high)
            text = f"{text}, {changed(name, first.name, points, ends)}"
        sentences.append(f"{text or f'{model.name}: no {name}, nothing was labeled'}.")
    # The comparisons are the result, the reference only their base.
    sentences = sentences[1:] + sentences[:1]
    if not results.complete:
        sentences.append("The evaluation is incomplete.")
    if any(model.is_random for model in results.models):
        sentences.insert(0, "No score can be stated for random weights.")
    return sentences


def _main_score(results: Results, model: ModelResult) -> tuple[str, float | None]:
    """The name of the main score, and its value, 0..1."""
    scores = model.scores
    return {
        "segmentation": ("mIoU", scores.miou),
        "classification": ("top-1 accuracy", scores.top1),
        "detection": ("AP", scores.ap),
    }[results.kind]


def _ranking(model: ModelResult) -> Rows:
    scored = [(one.name, score) for one in model.classes if (score := class_score(one)) is not None]
    scored.sort(key=lambda entry: -entry[1])
    return bars([(name, score, f"{percent(score)} %") for name, score in scored], 0.0, 1.0)


def _changes(model: ModelResult) -> Rows:
    changed = [(one.name, change) for one in model.classes if (change := one.change or 0)]
    most = sorted(changed, key=lambda entry: -abs(entry[1]))[:_CHANGES]
    shown = [entry for entry in most if abs(entry[1]) >= _MIN_CHANGE]
    largest = max((abs(change) for _, change in shown), default=1.0)
    shown.sort(key=lambda entry: entry[1])
    rows = [(name, change, points(change, 100)) for name, change in shown]
    return bars(rows, -largest, largest)


def _class_rows(results: Results, dataset: Dataset) -> tuple[_ClassRow, ...]:
    """Return a row for each class that occurs in the ground truth or in an output."""
    total = sum(result.pixels for result in results.models[0].classes) or 1
    by_class = zip(*(model.classes for model in results.models), strict=True)
    return tuple(
        _ClassRow(
            name=first.name,
            color=class_color(first.index, dataset.task.palette),
            pixels=first.pixels,
            share=first.pixels / total,
            of_models=tuple((class_score(result), result) for result in (first, *others)),
        )
        for first, *others in by_class
        if any(class_score(result) is not None for result in (first, *others))
    )
