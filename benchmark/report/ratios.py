"""The plot of latency ratios, relative to the first measured model."""

from dataclasses import dataclass

from seaformer.benchmark.results.schema import Results
from seaformer.reporting.numbers import ratio as ratio_text
from seaformer.reporting.plots import Mark, Plot, Row, Rows, bracket, spots, upright
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Ratio


@dataclass(frozen=True)
class Ratios:
    """The plot with a row for each model except the base, and the id of the base."""

    base: str
    plot: Rows


def ratios(results: Results) -> Ratios | None:
    """Draw the ratios; None with fewer than two models measured in the same rounds."""
    names = results.names
    base = next((model for model in results.models if model.latency is not None), None)
    if base is None:
        return None
    found = [(names[model.id], results.ratio(model.id, base.id)) for model in results.models]
    pairs = [(name, ratio) for name, ratio in found if ratio is not None]
    if not pairs:
        return None
    reached = [end for _, ratio in pairs for end in _ends(ratio) or (ratio.value,)]
    scale = Scale.over([1.0, *reached], least=0.1)
    rows = tuple(_row(name, names[base.id], ratio, scale) for name, ratio in pairs)
    return Ratios(base.id, Rows(scale, f"latency relative to {names[base.id]}", 26, rows))


def _row(name: str, base: str, ratio: Ratio, scale: Scale) -> Row:
    ends = _ends(ratio)
    text = f"{ratio_text(ratio)}: {ratio.verdict() if ends else 'inconclusive, too few rounds'}"
    whisker = "" if ends is None else bracket((scale.at(ends[0]), scale.at(ends[1])), 50, 25)
    marks = (
        Mark("zero", upright(scale.at(1))),
        Mark("whisker", whisker),
        *spots("dots estimate", [((scale.at(ratio.value), 50), f"{name}: {text}")]),
    )
    return Row(name, text, Plot(f"{name} relative to {base}", text, marks, scale))


def _ends(ratio: Ratio) -> tuple[float, float] | None:
    return None if ratio.interval is None else (ratio.interval.low, ratio.interval.high)
