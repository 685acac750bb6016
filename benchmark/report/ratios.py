"""The plot of latency ratios, relative to the first measured model or to an older benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.benchmark.results.schema import Results
from seaformer.reporting.numbers import ratio as ratio_text
from seaformer.reporting.plots import Mark, Plot, Row, Rows, bracket, spots, upright
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Ratio

HEIGHT = 26
"""Height of a row in pixels."""


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
    scale = ratio_scale([ratio for _, ratio in pairs])
    rows = tuple(
        ratio_row(name, names[base.id], ratio, ratio.verdict(), scale) for name, ratio in pairs
    )
    return Ratios(base.id, Rows(scale, f"latency relative to {names[base.id]}", HEIGHT, rows))


def ratio_scale(ratios: Sequence[Ratio], *more: float) -> Scale:
    """Return an axis that shows 1, the ratios with their intervals, and more values."""
    reached = [end for ratio in ratios for end in _ends(ratio) or (ratio.value,)]
    return Scale.over([1.0, *reached, *more], least=0.1)


def ratio_row(
    name: str, base: str, ratio: Ratio, outcome: str, scale: Scale, behind: Sequence[Mark] = ()
) -> Row:
    """Draw a ratio with its interval.

    Args:
        name: name of the model.
        base: what the ratio is relative to.
        ratio: the ratio.
        outcome: verdict on the ratio.
        scale: axis of all rows.
        behind: further marks, behind those of the ratio.
    """
    ends = _ends(ratio)
    text = f"{ratio_text(ratio)}: {outcome}"
    whisker = "" if ends is None else bracket((scale.at(ends[0]), scale.at(ends[1])), 50, 25)
    marks = (
        *behind,
        Mark("zero", upright(scale.at(1))),
        Mark("whisker", whisker),
        *spots("dots estimate", [((scale.at(ratio.value), 50), f"{name}: {text}")]),
    )
    return Row(name, text, Plot(f"{name} relative to {base}", text, marks, scale))


def _ends(ratio: Ratio) -> tuple[float, float] | None:
    return None if ratio.interval is None else (ratio.interval.low, ratio.interval.high)
