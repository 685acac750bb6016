"""The page of attention layers: latency over the side, growth, memory, and the paper's figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.benchmark.studies.attention import paper
from seaformer.benchmark.studies.attention.attention_results import AttentionResults, LayerResult
from seaformer.benchmark.studies.attention.growth import Growth
from seaformer.models.registry import ATTENTION_KINDS, LAYERS
from seaformer.reporting.numbers import milliseconds
from seaformer.reporting.page import Command, Page
from seaformer.reporting.plots import Plot
from seaformer.reporting.verdicts import fastest, joined
from seaformer.reporting.xy_plot import Value, interval_ends, line_plot
from seaformer.statistics.bootstrap import Ratio, Summary, separate_ratio

COLORS = {kind: place for place, kind in enumerate(ATTENTION_KINDS)}
"""Kind of layer -> number of its color."""

PAPER_SIDES = sorted({side for times in paper.TIMES_MS.values() for side in times})


@dataclass(frozen=True)
class AttentionPage(Page, template="attention.html"):
    """The page of a study of attention layers.

    Attributes:
        problems: why the measurement of a side stopped.
        warnings: warnings of all sides.
        plot: plot of the measurement; None if fewer than two sides have a latency.
        paper_plot: plot of the paper's figure.
        paper_sides: sides of the feature map in the paper's figure.
        paper_rows: title of a layer, and side -> milliseconds and reading error.
    """

    results: AttentionResults
    problems: list[str]
    warnings: list[str]
    plot: Plot | None
    paper_plot: Plot
    paper_sides: list[int]
    paper_rows: list[tuple[str, dict[int, tuple[float, float]]]]


def write_attention_page(path: Path, results: AttentionResults) -> None:
    """Render the page and write it; raises OSError if the file cannot be written."""
    sides = results.sides
    page = AttentionPage(
        verdict=verdict(results),
        commands=[Command(results.command)],
        results=results,
        problems=[f"Side {side.side}: {side.problem}" for side in sides if side.problem],
        warnings=[f"Side {side.side}: {text}" for side in sides for text in side.warnings],
        plot=_measured(results),
        paper_plot=_published(),
        paper_sides=PAPER_SIDES,
        paper_rows=[
            (LAYERS[kind].title, {side: (ms, paper.error_ms(side)) for side, ms in times.items()})
            for kind, times in paper.TIMES_MS.items()
        ],
    )
    page.write(path)


def verdict(results: AttentionResults) -> list[str]:
    """State the fastest layer at the largest side that several layers have, and their growth."""
    by_side: dict[int, dict[str, Summary]] = {}
    for layer in results.layers:
        for point in layer.points:
            if point.latency is not None:
                by_side.setdefault(point.side, {})[layer.title] = point.latency
    compared = {side: times for side, times in by_side.items() if len(times) > 1}
    sentences = []
    if not by_side:
        sentences.append("No latency can be stated for any layer.")
    if compared:
        side, times = max(compared.items())

        def ratio(title: str, base: str) -> Ratio:
            return separate_ratio(times[title], times[base])

        medians = {title: one.median_ms for title, one in times.items()}
        sentences += [f"At side {side}: {text}" for text in fastest(medians, ratio)]
    grown = [
        f"{layer.title} {_exponent(layer.measured_growth)}"
        for layer in results.layers
        if layer.measured_growth is not None
    ]
    if grown:
        sentences.append(f"Latency grows with the side to the power of: {joined(grown)}.")
    return sentences


def _exponent(growth: Growth) -> str:
    ends = growth.interval
    text = f"{growth.exponent:.2f}"
    return text if ends is None else f"{text} ({ends.low:.2f} to {ends.high:.2f})"


def _measured(results: AttentionResults) -> Plot | None:
    drawn = [(layer, values) for layer in results.layers if (values := _values(layer))]
    if len({value.x for _, values in drawn for value in values}) < 2:
        return None
    what = _side_of(results)
    return line_plot(
        f"Milliseconds over the {what}",
        "; ".join(_in_words(layer.title, values) for layer, values in drawn) + ".",
        f"x: {what}, y: ms",
        [(layer.kind, COLORS[layer.kind], values) for layer, values in drawn],
        [side.side for side in results.sides],
    )


def _side_of(results: AttentionResults) -> str:
    return "side of the feature map" if results.inside is None else "side of the image"


def _values(layer: LayerResult) -> list[Value]:
    return [
        Value(point.side, point.latency.median_ms, *interval_ends(point.latency.interval_ms))
        for point in layer.points
        if point.latency is not None
    ]


def _in_words(title: str, values: Sequence[Value]) -> str:
    """Describe the ends of a line."""
    ends = (f"{milliseconds(value.y)} ms at {value.x:g}" for value in (values[0], values[-1]))
    return f"{title}: {', '.join(ends)}"


def _published() -> Plot:
    lines = [
        (kind, COLORS[kind], [_read_off(side, ms) for side, ms in times.items()])
        for kind, times in paper.TIMES_MS.items()
    ]
    return line_plot(
        "Milliseconds over the side of the feature map, in the paper's figure",
        "The numbers are in the table below.",
        "x: side of the feature map, y: ms",
        lines,
        PAPER_SIDES,
    )


def _read_off(side: int, ms: float) -> Value:
    error_ms = paper.error_ms(side)
    return Value(side, ms, max(ms - error_ms, ms / 2), ms + error_ms)
