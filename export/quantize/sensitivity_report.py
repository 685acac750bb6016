"""The ranking of `sensitivity` as a table for the terminal and as a self-contained HTML page."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table

from seaformer.export.quantize.sensitivity import SHOWN_MODULES, Level, Row, Sensitivity, Tensor
from seaformer.reporting.numbers import percent, points, significant
from seaformer.reporting.page import Page, commands_of
from seaformer.reporting.plots import Mark, Plot, box, upright
from seaformer.reporting.scale import Scale
from seaformer.reporting.verdicts import changed

_LEVELS: tuple[tuple[Level, str, str], ...] = (
    ("part", "parts", "Parts"),
    ("type", "types", "Operator types"),
    ("block", "blocks", "Blocks"),
    ("module", "modules", "All modules"),
)
"""Level, id and title of each section."""


@dataclass(frozen=True)
class SensitivityPage(Page, template="sensitivity.html"):
    """The page: the modules with the largest loss, worst first, and histograms of their tensors.

    `levels` are id, title, level and rows of each section that has rows.
    """

    report: Sensitivity
    worst: tuple[Row, ...]
    levels: list[tuple[str, str, Level, tuple[Row, ...]]]
    histograms: list[tuple[Tensor, Plot]]


def write_report(path: Path, sensitivity: Sensitivity, command: str | None = None) -> None:
    """Render the page and write it, overwriting an existing file.

    `command` is the command line, if any.

    Raises:
        OSError: the file cannot be written.
    """
    page = SensitivityPage(
        verdict=verdict(sensitivity),
        commands=commands_of(command),
        report=sensitivity,
        worst=sensitivity.level("module")[:SHOWN_MODULES],
        levels=[
            (id, title, level, rows)
            for level, id, title in _LEVELS
            if (rows := sensitivity.level(level))
        ],
        histograms=[(tensor, histogram(tensor)) for tensor in sensitivity.tensors],
    )
    page.write(path)


def verdict(sensitivity: Sensitivity) -> list[str]:
    """State the loss of the quantized file, and the module that causes most noise."""
    whole = sensitivity.whole
    stated = changed(sensitivity.score_name, "fp32", whole.difference_points, whole.interval_points)
    agreement = f"the same class as fp32 at {percent(whole.argmax_agreement)} % of positions"
    if whole.difference_points is None:
        sentences = [f"{sensitivity.precision} gives {agreement}."]
    else:
        sentences = [f"{sensitivity.precision}: {stated}; {agreement}."]
    if modules := sensitivity.level("module"):
        worst = modules[0]
        sentences.append(
            f"Quantizing {worst.name} alone causes the most noise of all modules: "
            f"{percent(worst.share, 1)} % of the noise of the whole file."
        )
    return sentences


def ranking_table(sensitivity: Sensitivity) -> Table:
    """Return the worst modules for the terminal."""
    score = sensitivity.score_name
    table = Table(
        title="Loss with only this module quantized, worst first",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("module", overflow="fold")
    for heading in ("noise", "SQNR alone", "agreement", score, "SQNR if kept"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sensitivity.level("module")[:SHOWN_MODULES]:
        table.add_row(
            Group(*filter(None, (row.name, sensitivity.titles.get(row.name)))),
            f"{percent(row.share, 1)} %",
            f"{row.only.sqnr_db:.1f} dB",
            f"{percent(row.only.argmax_agreement)} %",
            points(row.only.difference_points),
            "-" if row.all_but is None else f"{row.all_but.sqnr_db:.2f} dB",
        )
    return table


def histogram(tensor: Tensor) -> Plot:
    """Draw the values of a tensor; heights are logarithmic, as most values are near zero."""
    start, end = tensor.span
    scale = Scale(start, max(end, start + 1e-12), ())
    width = 100 / len(tensor.histogram)
    low, high = scale.at(tensor.low), scale.at(tensor.high)
    top = max(*tensor.histogram, 1)
    columns = []
    for place, count in enumerate(tensor.histogram):
        if count:
            left = place * width
            kind = "inside" if low - width <= left <= high else "outside"
            path = box(left, left + width, 100 * (1 - _log_share(count, top)))
            values = " to ".join(
                significant(start + share * (end - start) / len(tensor.histogram))
                for share in (place, place + 1)
            )
            columns.append(Mark(kind, path, title=f"{values}: {count:,} values"))
    seen, limits = (
        f"from {significant(ends[0])} to {significant(ends[1])}"
        for ends in (tensor.seen, (tensor.low, tensor.high))
    )
    return Plot(
        f"{tensor.name}: histogram",
        f"Values {seen}, range {limits}.",
        (
            Mark("band", box(low, high)),
            *columns,
            Mark("zero", upright(scale.at(0))),
            Mark("limit", upright(low) + upright(high)),
        ),
    )


def _log_share(count: int, top: int) -> float:
    """Height of a histogram column, 0..1, such that a single value remains visible."""
    digits, most = len(str(count)), len(str(top))
    return (digits - 1 + count / 10**digits) / (most - 1 + top / 10**most)
