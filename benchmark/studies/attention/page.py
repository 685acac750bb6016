"""The page of attention layers: times over the side, growth, memory, the paper's figure beside."""

from collections.abc import Mapping
from pathlib import Path

from seaformer.benchmark.numbers import milliseconds
from seaformer.benchmark.report.pages import write_page
from seaformer.benchmark.studies.attention import paper
from seaformer.benchmark.studies.attention.schema import AttentionResults, LayerResult
from seaformer.models.registry import LAYERS
from seaformer.reporting.xy_plot import LinePlot, Value, line_plot

TEMPLATE = "attention.html"

COLORS = {kind: place for place, kind in enumerate(LAYERS)}
"""Kind -> number of its colour."""


def write_attention_page(path: Path, results: AttentionResults) -> None:
    """Draw the page and write it.

    Raises:
        OSError: the file cannot be written.
    """
    paper_rows = [(LAYERS[kind].title, times) for kind, times in paper.TIMES_MS.items()]
    write_page(
        path,
        TEMPLATE,
        results=results,
        sides=[side.side for side in results.sides],
        points={layer.kind: {p.side: p for p in layer.points} for layer in results.layers},
        problems=[
            f"Side {side.side}: {side.problem}"
            for side in results.sides
            if side.problem is not None
        ],
        warnings=[f"Side {side.side}: {text}" for side in results.sides for text in side.warnings],
        left_out=[(layer, one) for layer in results.layers for one in layer.left_out],
        plot=_measured(results),
        summary=_summary(results),
        paper_plot=_published(),
        paper_rows=paper_rows,
        paper_sides=sorted({side for times in paper.TIMES_MS.values() for side in times}),
        paper_error=paper.error_ms,
    )


def _measured(results: AttentionResults) -> LinePlot | None:
    lines = [(layer.kind, COLORS[layer.kind], _values(layer)) for layer in results.layers]
    drawn = [line for line in lines if line[2]]
    return line_plot(drawn, [side.side for side in results.sides]) if drawn else None


def _values(layer: LayerResult) -> list[Value]:
    values = []
    for point in layer.points:
        if point.latency is not None:
            ends = point.latency.interval_ms
            low, high = (None, None) if ends is None else (ends.low, ends.high)
            values.append(Value(point.side, point.latency.median_ms, low, high))
    return values


def _published() -> LinePlot:
    sides = sorted({side for times in paper.TIMES_MS.values() for side in times})
    lines = [(kind, COLORS[kind], _read_off(times)) for kind, times in paper.TIMES_MS.items()]
    return line_plot(lines, sides)


def _read_off(times_ms: Mapping[int, float]) -> list[Value]:
    return [
        Value(side, ms, max(ms - paper.error_ms(side), ms / 2), ms + paper.error_ms(side))
        for side, ms in times_ms.items()
    ]


def _summary(results: AttentionResults) -> str:
    """What a screen reader says of the plot: the ends of every line."""
    parts = []
    for layer in results.layers:
        values = _values(layer)
        if values:
            first, last = values[0], values[-1]
            parts.append(
                f"{layer.title}: {milliseconds(first.y)} ms at {first.x:g}, "
                f"{milliseconds(last.y)} ms at {last.x:g}"
            )
    return "; ".join(parts) + "."
