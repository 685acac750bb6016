"""The search of `mixed_precision` as a table for the terminal, and as one HTML page."""

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from seaformer.export.quantize.mixed_precision import Search, Step
from seaformer.export.quantize.page import loss, write_page

TEMPLATE = "mixed_precision_report.html"

PLOT_WIDTH, PLOT_HEIGHT = 960.0, 200.0
"""Of the plot, in its own units."""

HEADROOM = 1.15
"""How far the plot goes beyond the largest loss, and the budget, that it shows."""


def write_report(path: Path, found: Search, about: str, score_name: str) -> None:
    """Draw the page and write it.

    Args:
        path: the file, which is replaced.
        found: what the page shows.
        about: the files and what they were calibrated with, in words.
        score_name: "mIoU" or "top-1".

    Raises:
        OSError: the file cannot be written.
    """
    write_page(
        path,
        TEMPLATE,
        search=found,
        about=about,
        score_name=score_name,
        has_score=found.found.accuracy.difference_points is not None,
        plot=Plot(found),
        width=PLOT_WIDTH,
        height=PLOT_HEIGHT,
    )


def steps_table(found: Search) -> Table:
    """Return the steps for the terminal."""
    table = Table(
        title="Mixed precision: loss in points, time over that of fp32",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("step", overflow="fold")
    for heading in ("kept", "loss", "95 %", "agreement", "MB", "time", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in found.steps:
        accuracy, latency = step.accuracy, step.latency
        change, interval = accuracy.difference_points, accuracy.interval_points
        table.add_row(
            " ".join(filter(None, (step.action, step.module))),
            str(len(step.keep_float)),
            "-" if change is None else loss(change),
            "-" if interval is None else f"{loss(interval[1])}..{loss(interval[0])}",
            f"{100 * accuracy.argmax_agreement:.2f} %",
            f"{step.bytes / 1e6:.2f}",
            "-" if latency is None else f"{latency.ratio:.2f}",
            Text("fits" if step.fits else "", style="green"),
        )
    return table


@dataclass(frozen=True)
class Dot:
    """A step in the plot, in its units.

    Attributes:
        step: what it is of.
        x: place in the order of the steps.
        y: the loss.
        top: upper end of the loss' interval; `y` without one.
        bottom: lower end.
    """

    step: Step
    x: float
    y: float
    top: float
    bottom: float


class Plot:
    """The loss of every step beside what is allowed; where there is no truth, changed positions.

    Attributes:
        dots: of the steps, in order.
        low: the least value of the axis, in points, or in percent of the positions.
        high: the largest.
        limit: y of what is allowed.
        zero: y of no loss.
    """

    def __init__(self, found: Search) -> None:
        losses = [_loss(step) for step in found.steps]
        has_score = found.found.accuracy.difference_points is not None
        allowed = found.budget_points if has_score else 100 * (1 - found.min_agreement)
        self.high = HEADROOM * max(allowed, *(high for _, _, high in losses))
        self.low = HEADROOM * min(0.0, *(low for low, _, _ in losses))
        self.limit, self.zero = self._y(allowed), self._y(0.0)
        wide = PLOT_WIDTH / len(losses)
        self.dots = [
            Dot(step, (place + 0.5) * wide, self._y(lost), self._y(high), self._y(low))
            for place, (step, (low, lost, high)) in enumerate(zip(found.steps, losses, strict=True))
        ]

    def _y(self, value: float) -> float:
        return PLOT_HEIGHT * (self.high - value) / (self.high - self.low)


def _loss(step: Step) -> tuple[float, float, float]:
    """The loss between the ends of its interval."""
    accuracy = step.accuracy
    if accuracy.difference_points is None or accuracy.interval_points is None:
        changed = 100 * (1 - accuracy.argmax_agreement)
        return changed, changed, changed
    low, high = accuracy.interval_points
    return -high, -accuracy.difference_points, -low
