"""Tables like the paper's from results, for terminal and page."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.benchmark.presentation import accuracy_columns
from seaformer.benchmark.results.published import CONDITIONS, figure_of
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.reporting.numbers import NONE, median, milliseconds, number, ratio
from seaformer.statistics.bootstrap import Ratio

EMULATED = "emulated, NO LATENCY"
WRONG = "WRONG OUTPUT"
NOT_MEASURED = "not measured"

MEGA, GIGA = 1e6, 1e9


@dataclass(frozen=True)
class PaperTable:
    """The texts of a table; notes are sentences below it, the first column names the rows."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def paper_table(results: Results) -> PaperTable | None:
    """Lay out the table that results were measured for; None without --table."""
    if results.table is None:
        return None
    kind = KINDS[results.table]
    columns = [(name, *COLUMNS[name]) for name in kind.columns]
    rows = [Row(results, model) for model in results.models]
    return PaperTable(
        title=kind.title,
        headings=tuple(
            EMULATED if name == "time" and results.emulated else heading
            for name, heading, _ in columns
        ),
        rows=tuple(tuple(cell(row) for _, _, cell in columns) for row in rows),
        notes=tuple(_notes(results, kind.columns)),
    )


def time_text(model: ModelResult) -> str:
    """The latency of a model with its interval, or the reason why it has none."""
    if model.is_wrong:
        return WRONG
    if model.times is None:
        return NOT_MEASURED
    run = model.times.run
    return milliseconds(model.times.typical_ms) if run is None else median(run)


@dataclass(frozen=True)
class Row:
    """A row of the table: one model of a benchmark."""

    results: Results
    model: ModelResult

    @property
    def base(self) -> ModelResult:
        """The model of the first row, to which ratios are relative."""
        return self.results.models[0]

    @property
    def ratio(self) -> Ratio | None:
        """Latency of the model / latency of the base; None for the base itself, or if unknown."""
        return self.results.ratio(self.model.id, self.base.id)

    @property
    def latency_ms(self) -> float | None:
        """The typical latency; None if there is none, as on an emulated device."""
        return None if self.model.latency is None else self.model.latency.typical_ms

    @property
    def megapixels(self) -> float | None:
        """Millions of pixels of the input; None if it is not an image."""
        size = self.model.input.size
        return None if size is None else size[0] * size[1] / MEGA


def _network(row: Row) -> str:
    facts = row.model.facts
    return facts.variant or facts.model or row.model.title


def _ratio(row: Row) -> str:
    if row.model is row.base:
        return NONE if row.latency_ms is None else "1"
    return ratio(row.ratio)


def _speed_up(row: Row) -> str:
    return ratio(row.ratio.inverse()) if row.ratio else _ratio(row)


def _efficiency(row: Row) -> str:
    """Speed-up / factor in the number of threads, in percent."""
    more = row.results.threads_of(row.model) / row.results.threads_of(row.base)
    return NONE if row.ratio is None else f"{100 / (row.ratio.value * more):.0f} %"


def _scaled(value: int | None, unit: float, digits: int) -> str:
    return NONE if value is None else number(value / unit, digits)


def _gflops(row: Row) -> str:
    macs, ms = row.model.facts.macs, row.latency_ms
    return NONE if macs is None or ms is None else number(2 * macs / GIGA / (ms / 1e3))


def _per_megapixel(row: Row) -> str:
    ms, megapixels = row.latency_ms, row.megapixels
    return NONE if ms is None or megapixels is None else milliseconds(ms / megapixels)


def _paper(row: Row) -> str:
    figure = figure_of(row.model)
    return NONE if figure is None or figure.paper_ms is None else f"{figure.paper_ms:g}"


def _paper_ratio(row: Row) -> str:
    figure, base = figure_of(row.model), figure_of(row.base)
    ratio = None if figure is None or base is None else figure.paper_ratio(base)
    return NONE if ratio is None else f"{ratio:.2f}"


COLUMNS: Mapping[str, tuple[str, Callable[[Row], str]]] = MappingProxyType(
    {
        "precision": ("precision", lambda row: row.model.precision),
        "threads": ("threads", lambda row: str(row.results.threads_of(row.model))),
        "cores": ("cores", lambda row: str(row.results.cores_of(row.model))),
        "input size": (
            "input",
            lambda row: "x".join(map(str, row.model.input.size or row.model.input.shape)),
        ),
        "network": ("model", _network),
        "time": ("ms [95 %]", lambda row: time_text(row.model)),
        "ratio": ("ratio [95 %]", _ratio),
        "megabytes": ("MB", lambda row: number(row.model.bytes / MEGA, 2)),
        "score": ("mIoU, %", lambda row: accuracy_columns.score(row.results, row.model)),
        "difference": (
            "points [95 %]",
            lambda row: accuracy_columns.difference(row.results, row.model),
        ),
        "agreement": ("agrees, %", lambda row: accuracy_columns.agreement(row.results, row.model)),
        "speed-up": ("speed-up [95 %]", _speed_up),
        "efficiency": ("efficiency", _efficiency),
        "parameters": ("M params", lambda row: _scaled(row.model.facts.params, MEGA, 2)),
        "MACs": ("G MACs", lambda row: _scaled(row.model.facts.macs, GIGA, 3)),
        "pixels": ("Mpixel", lambda row: number(row.megapixels, 3)),
        "GFLOP/s": ("GFLOP/s", _gflops),
        "per megapixel": ("ms/Mpixel", _per_megapixel),
        "paper": ("paper ms", _paper),
        "paper ratio": ("paper ratio", _paper_ratio),
    }
)
"""Name of a column -> its heading with the unit, and the function for its cells."""


def _notes(results: Results, columns: tuple[str, ...]) -> Iterator[str]:
    base = results.models[0]
    if "threads" in columns:
        yield (
            f"All rows: {base.file_name}; settings are interleaved, and ratios are computed within "
            "a round."
        )
    else:
        size = None if "input size" in columns else base.input.size
        size_text = f", images of {size[0]}x{size[1]}" if size else ""
        yield (
            f"{results.all_threads} on {results.all_cores}{size_text}; models are interleaved, and "
            "ratios are computed within a round."
        )
    if "efficiency" in columns:
        yield "efficiency: speed-up / number of threads."
    if "GFLOP/s" in columns:
        yield "GFLOP/s: effective, 2 operations for each multiply-accumulate."
    if "agreement" in columns:
        yield from accuracy_columns.agreement_notes(results)
    if "score" in columns:
        yield from accuracy_columns.score_notes(results)
    if "paper" in columns and any(figure_of(model) for model in results.models):
        yield f"paper: {CONDITIONS}"
