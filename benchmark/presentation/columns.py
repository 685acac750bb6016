"""The columns of the tables: a heading, and what stands below it for one model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.benchmark.results.published import figure_of
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.reporting.numbers import NONE, median, milliseconds, number, ratio
from seaformer.statistics.bootstrap import Ratio

WRONG = "WRONG OUTPUT"
NOT_MEASURED = "not measured"

MEGA, GIGA = 1e6, 1e9


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        results: the benchmark.
        model: what the row is of.
        base: what its ratios are to; the same model in the first row.
    """

    results: Results
    model: ModelResult
    base: ModelResult

    @property
    def ratio(self) -> Ratio | None:
        """The model's time by that of the base; None for the base itself, or if unknown."""
        return self.results.ratio(self.model.id, self.base.id)

    @property
    def latency_ms(self) -> float | None:
        """The typical latency; None without one: an emulated time is none."""
        return None if self.model.latency is None else self.model.latency.typical_ms

    @property
    def megapixels(self) -> float | None:
        """Millions of pixels of the input; None if it is no picture."""
        size = self.model.input.size
        return None if size is None else size[0] * size[1] / MEGA


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: above it, with the unit.
        cell: what stands in a row.
    """

    heading: str
    cell: Callable[[Row], str]


def reference_score(results: Results) -> float | None:
    """Return the score of the fp32 file in percent, as others say it; None if none does."""
    known = (model.facts.accuracy for model in results.models)
    return next((one.reference_score for one in known if one and one.reference_score), None)


def _network(row: Row) -> str:
    facts = row.model.facts
    return facts.variant or facts.model or row.model.title


def _size(row: Row) -> str:
    size = row.model.input.size or row.model.input.shape
    return "x".join(map(str, size))


def _cores(row: Row) -> str:
    return str(row.results.cores_of(row.model))


def _time(row: Row) -> str:
    times = row.results.times(row.model)
    if row.model.is_wrong:
        return WRONG
    if times is None:
        return NOT_MEASURED
    return median(times.run) if times.run is not None else milliseconds(times.typical_ms)


def _ratio(row: Row) -> str:
    if row.model is row.base:
        return NONE if row.latency_ms is None else "1"
    return ratio(row.ratio)


def _speed_up(row: Row) -> str:
    if row.model is row.base:
        return _ratio(row)
    return ratio(row.ratio and row.ratio.inverse())


def _efficiency(row: Row) -> str:
    """Speed-up by the times as many threads."""
    more = row.results.threads_of(row.model) / row.results.threads_of(row.base)
    if row.model is row.base or row.ratio is None:
        return NONE
    return f"{100 / (row.ratio.value * more):.0f} %"


def _score(row: Row) -> str:
    accuracy = row.model.facts.accuracy
    score = None if accuracy is None else accuracy.score
    if score is None and row.model.precision == "fp32":
        score = reference_score(row.results)
    return "unknown" if score is None else f"{score:.2f}"


def _difference(row: Row) -> str:
    accuracy = row.model.facts.accuracy
    if accuracy is None or accuracy.difference_points is None:
        return NONE
    points = _points(accuracy.difference_points)
    if accuracy.low_points is None or accuracy.high_points is None:
        return points
    return f"{points} [{_points(accuracy.low_points)}, {_points(accuracy.high_points)}]"


def _points(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"


def _agreement(row: Row) -> str:
    accuracy = row.model.facts.accuracy
    return NONE if accuracy is None else f"{100 * accuracy.agreement:.2f}"


def _gflops(row: Row) -> float | None:
    macs = row.model.facts.macs
    if macs is None or row.latency_ms is None:
        return None
    return 2 * macs / GIGA / (row.latency_ms / 1e3)


def _per_megapixel(row: Row) -> float | None:
    if row.megapixels is None or row.latency_ms is None:
        return None
    return row.latency_ms / row.megapixels


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _paper(row: Row) -> str:
    figure = figure_of(row.model)
    return NONE if figure is None else f"{figure.latency_ms:g}"


def _paper_ratio(row: Row) -> str:
    figure, base = figure_of(row.model), figure_of(row.base)
    return NONE if figure is None or base is None else f"{figure.latency_ms / base.latency_ms:.2f}"


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "precision": Column("precision", lambda row: row.model.precision),
        "threads": Column("threads", lambda row: str(row.results.threads_of(row.model))),
        "cores": Column("cores", _cores),
        "input size": Column("input", _size),
        "network": Column("model", _network),
        "time": Column("ms [95 %]", _time),
        "ratio": Column("ratio [95 %]", _ratio),
        "megabytes": Column("MB", lambda row: number(row.model.bytes / MEGA, 2)),
        "score": Column("mIoU, %", _score),
        "difference": Column("points [95 %]", _difference),
        "agreement": Column("agrees, %", _agreement),
        "speed-up": Column("speed-up [95 %]", _speed_up),
        "efficiency": Column("efficiency", _efficiency),
        "parameters": Column(
            "M params", lambda row: number(_scaled(row.model.facts.params, MEGA), 2)
        ),
        "MACs": Column("G MACs", lambda row: number(_scaled(row.model.facts.macs, GIGA), 3)),
        "pixels": Column("Mpixel", lambda row: number(row.megapixels, 3)),
        "GFLOP/s": Column("GFLOP/s", lambda row: number(_gflops(row))),
        "per megapixel": Column("ms/Mpixel", lambda row: milliseconds(_per_megapixel(row))),
        "paper": Column("paper ms", _paper),
        "paper ratio": Column("paper ratio", _paper_ratio),
    }
)
