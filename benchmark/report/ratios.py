"""The plot of how many times as long each model takes as the first one that was measured."""

from dataclasses import dataclass

from seaformer.benchmark.results import ModelResult, Results
from seaformer.reporting.scale import Scale
from seaformer.statistics.bootstrap import Ratio


@dataclass(frozen=True)
class RatioRow:
    """A model against the first one. Places are in per cent of the plot.

    Attributes:
        model: the model.
        ratio: to the first one's time.
        place: of the ratio.
        interval: from where to where its interval goes; None without one.
        verdict: what follows from the interval.
    """

    model: ModelResult
    ratio: Ratio
    place: float
    interval: tuple[float, float] | None
    verdict: str


@dataclass(frozen=True)
class Ratios:
    """The plot.

    Attributes:
        base: the model that the ratios are to.
        scale: of the ratios.
        one: place of a ratio of 1.
        rows: the other models.
    """

    base: ModelResult
    scale: Scale
    one: float
    rows: tuple[RatioRow, ...]


def ratios(results: Results) -> Ratios | None:
    """Lay the plot out; None with fewer than two models that were measured in the same rounds."""
    base = next((model for model in results.models if model.latency is not None), None)
    if base is None:
        return None
    found = [(model, results.ratio(model.id, base.id)) for model in results.models]
    pairs = [(model, ratio) for model, ratio in found if ratio is not None]
    if not pairs:
        return None
    reached = [end for _, ratio in pairs for end in _ends(ratio) or (ratio.value,)]
    scale = Scale.over([1.0, *reached], least=0.1)
    rows = []
    for model, ratio in pairs:
        ends = _ends(ratio)
        interval = None if ends is None else (scale.at(ends[0]), scale.at(ends[1]))
        rows.append(RatioRow(model, ratio, scale.at(ratio.value), interval, _verdict(ratio)))
    return Ratios(base, scale, scale.at(1.0), tuple(rows))


def _ends(ratio: Ratio) -> tuple[float, float] | None:
    return None if ratio.interval is None else (ratio.interval.low, ratio.interval.high)


def _verdict(ratio: Ratio) -> str:
    if ratio.interval is None:
        return "too few rounds to tell"
    if ratio.interval.low > 1:
        return "slower"
    return "faster" if ratio.interval.high < 1 else "not distinguishable"
