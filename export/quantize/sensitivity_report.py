"""The ranking of `sensitivity` as a table for the terminal, and as one HTML page without parts."""

from pathlib import Path

from rich.table import Table

from seaformer.export.quantize.page import percent, points, write_page
from seaformer.export.quantize.sensitivity import SHOWN_MODULES, Sensitivity, Tensor

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
    write_page(
        path,
        TEMPLATE,
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
            row.name,
            f"{percent(row.share, 1)} %",
            f"{row.only.sqnr_db:.1f} dB",
            f"{percent(row.only.argmax_agreement)} %",
            points(row.only.difference_points),
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
