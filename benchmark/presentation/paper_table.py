"""A table of the paper from results: what terminal and page show."""

from collections.abc import Iterator
from dataclasses import dataclass

from seaformer.benchmark.presentation.columns import COLUMNS, Row
from seaformer.benchmark.results.published import CONDITIONS, figure_of
from seaformer.benchmark.results.schema import Results
from seaformer.benchmark.results.table_kinds import KINDS

EMULATED = "emulated, NO LATENCY"


@dataclass(frozen=True)
class PaperTable:
    """A table, as it is shown.

    Attributes:
        title: above it.
        headings: of the columns, the first of which names the rows.
        rows: the cells.
        notes: sentences below it.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def paper_table(results: Results) -> PaperTable | None:
    """Lay out the table that results were made for; None if they were made for none."""
    if results.table is None:
        return None
    kind = KINDS[results.table]
    columns = [(name, COLUMNS[name]) for name in kind.columns]
    base = results.models[0]
    rows = [Row(results, model, base) for model in results.models]
    return PaperTable(
        title=kind.title,
        headings=tuple(
            EMULATED if name == "time" and results.emulated else column.heading
            for name, column in columns
        ),
        rows=tuple(tuple(column.cell(row) for _, column in columns) for row in rows),
        notes=tuple(_notes(results, kind.columns)),
    )


def _notes(results: Results, columns: tuple[str, ...]) -> Iterator[str]:
    base = results.models[0]
    if "threads" in columns:
        yield f"All of {base.file_name}; the settings take turns, and ratios pair within a turn."
    else:
        size = None if "input size" in columns else base.input.size
        given = f", pictures of {size[0]}x{size[1]}" if size else ""
        yield (
            f"{results.all_threads} on {results.all_cores}{given}; models take turns, and ratios "
            "pair round by round."
        )
    if "efficiency" in columns:
        yield "efficiency: speed-up by the number of threads."
    if "GFLOP/s" in columns:
        yield "GFLOP/s: effective, 2 operations for each multiply-accumulate."
    if "agreement" in columns:
        yield from _agreements(results)
    if "score" in columns:
        yield from _scores(results)
    if "paper" in columns and any(figure_of(model) for model in results.models):
        yield f"paper: {CONDITIONS}"


def _agreements(results: Results) -> Iterator[str]:
    """What the files of each way of measuring were compared with, and on what."""
    ways: dict[tuple[str, str], list[str]] = {}
    for model in results.models:
        if (accuracy := model.facts.accuracy) is not None:
            way = (accuracy.reference, accuracy.inputs)
            ways.setdefault(way, []).append(model.precision)
    for (reference, inputs), precisions in ways.items():
        yield (
            f"agrees, of {', '.join(precisions)}: share of positions with the same class as "
            f"{reference}, when it was exported, on {inputs}."
        )


def _scores(results: Results) -> Iterator[str]:
    """What the scores are of: slow files are scored on fewer pictures, where fp32 differs too."""
    ways: dict[tuple[str, float], list[str]] = {}
    for model in results.models:
        accuracy = model.facts.accuracy
        if accuracy is not None and accuracy.score_inputs and accuracy.reference_score:
            way = (accuracy.score_inputs, round(accuracy.reference_score, 2))
            ways.setdefault(way, []).append(model.precision)
    for (inputs, score), precisions in ways.items():
        yield f"mIoU of {', '.join(precisions)}: on {inputs}, where fp32 has {score:.2f}."
    if not ways:
        yield "mIoU: the files were not measured on pictures with a truth."
