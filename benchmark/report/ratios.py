"""The plot of how many times as long each model takes as the first one that was measured."""

from dataclasses import dataclass

from seaformer.benchmark.results.schema import Results
from seaformer.reporting.numbers import ratio as ratio_text
from seaformer.reporting.plots import Mark, Plot, Row, Rows, bracket, dots, upright
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Ratio


@dataclass(frozen=True)
class Ratios:
    """The plot, a row for each model but the base, whose id stands beside it."""

    base: str
    plot: Rows


def ratios(results: Results) -> Ratios | None:
    """Draw the ratios; None with fewer than two models that were measured in the same rounds."""
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
    return Ratios(base.id, Rows(scale, f"times as long as {names[base.id]}", 26, rows))


def _row(name: str, base: str, ratio: Ratio, scale: Scale) -> Row:
    ends = _ends(ratio)
    said = f"{ratio_text(ratio)}: {ratio.verdict() if ends else 'too few rounds to tell'}"
    whisker = "" if ends is None else bracket((scale.at(ends[0]), scale.at(ends[1])), 50, 25)
    marks = (
        Mark("zero", upright(scale.at(1))),
        Mark("whisker", whisker),
        Mark("dots estimate", dots([(scale.at(ratio.value), 50)])),
    )
    return Row(name, said, Plot(f"{name} relative to {base}", said, marks, scale))


def _ends(ratio: Ratio) -> tuple[float, float] | None:
    return None if ratio.interval is None else (ratio.interval.low, ratio.interval.high)
