"""The search of `mixed_precision` as a table for the terminal and as an HTML page."""

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from seaformer.export.quantize.mixed_precision import Search, Step
from seaformer.reporting.numbers import exact, loss, number, percent
from seaformer.reporting.page import Page, commands_of
from seaformer.reporting.plots import Mark, Plot, across, box, dots, spots, upright
from seaformer.reporting.scale import Scale
from seaformer.reporting.verdicts import changed, compared
from seaformer.statistics.bootstrap import CONFIDENCE, Interval, Ratio

MAX_TICKS = 12
"""Maximum number of tick labels below the plot."""


@dataclass(frozen=True)
class MixedPrecisionPage(Page, template="mixed_precision.html"):
    """The page.

    Attributes:
        search: the result of the search.
        about: description of the files and their calibration.
        score_name: "mIoU" or "top-1".
        plot: the loss of every step.
    """

    search: Search
    about: str
    score_name: str
    plot: Plot


def write_report(
    path: Path, found: Search, about: str, score_name: str, command: str | None = None
) -> None:
    """Render the page and write it.

    Args:
        path: the file, overwritten if it exists.
        found: the result of the search.
        about: description of the files and their calibration.
        score_name: "mIoU" or "top-1".
        command: the command line, if any.

    Raises:
        OSError: the file cannot be written.
    """
    page = MixedPrecisionPage(
        verdict=verdict(found, score_name),
        commands=commands_of(command),
        search=found,
        about=about,
        score_name=score_name,
        plot=loss_plot(found, score_name),
    )
    page.write(path)


def verdict(search: Search, score_name: str) -> list[str]:
    """State the number of kept modules, the remaining loss, and the latency."""
    end = search.found
    accuracy, count = end.accuracy, len(end.kept_modules)
    kept = f"{count} module{'s' * (count != 1)}" if count else "no module"
    stated = changed(score_name, "fp32", accuracy.difference_points, accuracy.interval_points)
    if accuracy.difference_points is None:
        stated = (
            f"{percent(accuracy.argmax_agreement)} % of positions have the same class as in fp32"
        )
    sentences = [f"With {kept} {search.kept_as}: {stated}."]
    if latency := end.latency:
        ratio = Ratio(latency.ratio, Interval(*latency.interval, CONFIDENCE))
        sentences.append(compared("This file", "the fp32 file", ratio))
    return sentences


def steps_table(found: Search) -> Table:
    """Return the steps for the terminal."""
    table = Table(
        title="Mixed precision: loss in points, latency relative to fp32",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("step", overflow="fold")
    for heading in ("kept", "loss", "95 %", "agreement", "MB", "latency", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in found.steps:
        accuracy, latency = step.accuracy, step.latency
        interval = accuracy.interval_points
        table.add_row(
            " ".join(filter(None, (step.action, step.module))),
            str(len(step.kept_modules)),
            loss(accuracy.difference_points),
            "-" if interval is None else f"{loss(interval[1])}..{loss(interval[0])}",
            f"{percent(accuracy.argmax_agreement)} %",
            f"{step.bytes / 1e6:.2f}",
            "-" if latency is None else f"{latency.ratio:.2f}",
            Text("fits" if step.fits else "", style="green"),
        )
    return table


def loss_plot(found: Search, score_name: str) -> Plot:
    """Plot the loss of every step and the budget; without ground truth, the changed positions.

    Args:
        found: the result of the search.
        score_name: name of the score.

    Returns:
        A plot whose vertical axis is in points, or in percent of the positions.
    """
    losses = [_loss(step) for step in found.steps]
    has_score = found.found.accuracy.difference_points is not None
    budget = found.budget_points if has_score else 100 * (1 - found.min_agreement)
    what = f"points of {score_name} lost" if has_score else "% of positions changed"
    y = Scale.over([0.0, budget, *(end for low, _, high in losses for end in (low, high))])
    steps = range(1, len(losses) + 1, -(-len(losses) // MAX_TICKS))
    x = Scale(0.5, len(losses) + 0.5, tuple(map(float, steps)))
    marks = [
        Mark("band", box(0, 100, y.below(budget))),
        Mark("limit", across(y.below(budget))),
        Mark("zero", across(y.below(0))),
    ]
    for place, (step, (low, lost, high)) in enumerate(zip(found.steps, losses, strict=True), 1):
        left = x.at(place)
        position = (left, y.below(lost))
        marks.append(Mark("interval", upright(left, y.below(high), y.below(low))))
        if step == found.found:
            marks.append(Mark("ring", dots([position])))
        action = f"{place}, {' '.join(filter(None, (step.action, step.module)))}"
        title = f"{action}: {exact(lost)} [{exact(low)}, {exact(high)}]"
        marks += spots("dot fits" if step.fits else "dot", [(position, title)])
    last = _loss(found.found)[1]
    description = (
        f"By step, {what}: from {number(losses[0][1], 2)} to {number(last, 2)}. The table lists "
        "all steps."
    )
    return Plot("Loss of every step", description, tuple(marks), x, y, f"x: step, y: {what}")


def _loss(step: Step) -> tuple[float, float, float]:
    """Return the lower end of the interval, the loss, and the upper end."""
    accuracy = step.accuracy
    if accuracy.difference_points is None or accuracy.interval_points is None:
        changed = 100 * (1 - (accuracy.argmax_agreement or 0.0))
        return changed, changed, changed
    low, high = accuracy.interval_points
    return -high, -accuracy.difference_points, -low
