"""The ranking of `sensitivity` as a table for the terminal, and as one HTML page without parts."""

from pathlib import Path

import jinja2
from rich.table import Table
from rich.text import Text

from seaformer.export.quantization.sensitivity import SHOWN_MODULES, Sensitivity, Tensor
from seaformer.files import atomic_write

TEMPLATE = "sensitivity_report.html"

PLOT_WIDTH, PLOT_HEIGHT = 480.0, 110.0
"""Of a histogram, in its own units."""


def write_report(path: Path, sensitivity: Sensitivity) -> None:
    """Draw the page and write it.

    Args:
        path: the file, which is replaced.
        sensitivity: what the page shows.

    Raises:
        OSError: the file cannot be written.
    """
    page = jinja2.Environment(
        loader=jinja2.PackageLoader("seaformer.export.quantization", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {"percent": _percent, "points": _points, "number": _number}
    text = page.get_template(TEMPLATE).render(
        report=sensitivity,
        worst=sensitivity.level("module")[:SHOWN_MODULES],
        largest={
            level: max((row.share for row in sensitivity.level(level)), default=1.0)
            for level in ("part", "block", "module", "type")
        },
        plots=[(tensor, Plot(tensor)) for tensor in sensitivity.tensors],
        width=PLOT_WIDTH,
        height=PLOT_HEIGHT,
    )
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")


def ranking_table(sensitivity: Sensitivity) -> Table:
    """Return the worst modules for the terminal."""
    score = sensitivity.score_name
    table = Table(
        title="What quantizing each module alone costs, worst first",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("module", overflow="fold")
    for heading in ("noise", "SQNR alone", "agreement", score, "SQNR without it"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sensitivity.level("module")[:SHOWN_MODULES]:
        table.add_row(
            Text(row.name),
            f"{_percent(row.share, 1)} %",
            f"{row.only.sqnr_db:.1f} dB",
            f"{_percent(row.only.argmax_agreement)} %",
            _points(row.only.difference_points),
            "-" if row.all_but is None else f"{row.all_but.sqnr_db:.2f} dB",
        )
    return table


class Plot:
    """A histogram as SVG paths; heights are logarithmic, as most values are near zero.

    Attributes:
        inside: the bars that lie in the range.
        outside: the bars that do not, and saturate.
        low: where the range begins.
        high: where it ends.
        zero: where zero is.
    """

    def __init__(self, tensor: Tensor) -> None:
        start, end = tensor.span
        bars = len(tensor.histogram)
        unit = PLOT_WIDTH / max(end - start, 1e-12)
        self.low, self.high = (tensor.low - start) * unit, (tensor.high - start) * unit
        self.zero = (0.0 - start) * unit
        top = max(*tensor.histogram, 1)
        paths = {True: "", False: ""}
        for place, count in enumerate(tensor.histogram):
            if count:
                left, width = place * PLOT_WIDTH / bars, PLOT_WIDTH / bars
                y = PLOT_HEIGHT * (1 - _log_share(count, top))
                is_inside = self.low - width <= left <= self.high
                bar = f"M{left:.1f} {PLOT_HEIGHT:g}V{y:.1f}h{width:.1f}V{PLOT_HEIGHT:g}z"
                paths[is_inside] += bar
        self.inside, self.outside = paths[True], paths[False]


def _log_share(count: int, top: int) -> float:
    """Height of a bar, 0..1: a single value is still seen."""
    digits, most = len(str(count)), len(str(top))
    return (digits - 1 + count / 10**digits) / (most - 1 + top / 10**most)


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f}"


def _points(change: float | None) -> str:
    """Write points with their sign; adding 0.0 makes -0.0 positive."""
    return "-" if change is None else f"{round(change, 2) + 0.0:+.2f}"


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}"
