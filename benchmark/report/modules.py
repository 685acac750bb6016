"""The plots of latency by module: a bar of main modules and a tree of all modules per model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from seaformer.benchmark.results.breakdown import Breakdown, Row
from seaformer.benchmark.results.schema import Results
from seaformer.reporting import plots
from seaformer.reporting.numbers import estimate, milliseconds, number
from seaformer.reporting.plots import Rows, Segment
from seaformer.reporting.scale import Scale
from seaformer.reporting.tree_plot import Block, Branch, tree_plot

BAR_HEIGHT = 34
"""Height of a bar in pixels."""

QUARTERS = (0.0, 25.0, 50.0, 75.0, 100.0)

OTHERS = "others"
"""Color of a module that is outside the main modules."""

Colors = dict[str, int | str]
"""Path of each segment, in the order of the legend -> its color, the same for all models."""


@dataclass(frozen=True)
class ModelModules:
    """One model, and the tree of its modules in the order of the network."""

    name: str
    breakdown: Breakdown
    tree: tuple[Block, ...]


@dataclass(frozen=True)
class Modules:
    """The plots of the modules of all models.

    Attributes:
        times: a bar for each model, in milliseconds; negative segments are only in the table.
        shares: the same in percent of the latency of each model.
        legend: title and color of each segment.
        models: models with a breakdown.
    """

    times: Rows
    shares: Rows
    legend: tuple[tuple[str, int | str], ...]
    models: tuple[ModelModules, ...]


def modules(results: Results) -> Modules | None:
    """Draw the plots; None without breakdowns, and if the device is emulated."""
    names = results.names
    found = {
        model.id: model.breakdown
        for model in results.models
        if model.breakdown is not None
        and not (model.breakdown.emulated or results.emulated)
        and model.latency is not None
    }
    if not found:
        return None
    colors = _colors([row for breakdown in found.values() for row in _parts(breakdown)])
    legend: Colors = {}
    times, shares = [], []
    for model in results.models:
        if breakdown := found.get(model.id):
            name, total = names[model.id], breakdown.total_ms
            parts = sorted(_parts(breakdown), key=lambda row: list(colors).index(row.path))
            legend |= {row.title: colors[row.path] for row in parts if _ms(row)}
            note = f"{model.precision}, {estimate(total, breakdown.total_interval_ms)} ms"
            times.append(plots.Row(name, note, _segments(parts, colors, 1, milliseconds)))
            shares.append(plots.Row(name, "", _segments(parts, colors, 100 / total, number)))
    ends = [(sum(map(_ms, _parts(one))), one.total_ms) for one in found.values()]
    longest = max(100.0, *(100 * end / total for end, total in ends))
    return Modules(
        Rows(Scale.over([0.0, *(end for end, _ in ends)]), "ms", BAR_HEIGHT, tuple(times)),
        Rows(Scale(0.0, longest, QUARTERS), "% of the model's latency", BAR_HEIGHT, tuple(shares)),
        tuple(legend.items()),
        tuple(
            ModelModules(
                names[model],
                breakdown,
                tree_plot(_branches(breakdown, breakdown.children(""), colors)),
            )
            for model, breakdown in found.items()
        ),
    )


def _parts(breakdown: Breakdown) -> list[Row]:
    """Return the rows of a bar: the main modules of the network, then the post-processing."""
    return [*breakdown.children(""), *(row for row in breakdown.rows if row.kind == "tail")]


def _colors(rows: Sequence[Row]) -> Colors:
    """Number the modules; other rows have a separate color for each kind."""
    modules = dict.fromkeys(row.path for row in rows if row.kind not in ("unattributed", "tail"))
    colors: Colors = {path: place for place, path in enumerate(modules)}
    return colors | {row.path: row.kind for row in rows if row.path not in colors}


def _segments(
    parts: Sequence[Row], colors: Colors, factor: float, text: Callable[[float], str]
) -> tuple[Segment, ...]:
    """Stack the rows above 0, with their milliseconds multiplied by a factor."""
    ends = accumulate((factor * _ms(row) for row in parts), initial=0.0)
    return tuple(
        Segment(row.title, colors[row.path], start, end, text(end - start))
        for row, (start, end) in zip(parts, pairwise(ends), strict=True)
        if end > start
    )


def _branches(
    breakdown: Breakdown, rows: Sequence[Row], colors: Colors, color: int | str | None = None
) -> tuple[Branch, ...]:
    """Build the tree below the rows of one module.

    `colors` has the colors of the main modules; `color` is the color of the main module that
    contains the rows, None for the main modules themselves.
    """
    branches = []
    for row in rows:
        own = colors.get(row.path, OTHERS) if color is None else color
        share = number(100 * (row.share or 0))
        name = ".".join(row.path.split(".")[-2:]) if row.title.isdigit() else row.title
        branches.append(
            Branch(
                f"{name} {milliseconds(row.ms)}",
                f"{row.path or row.title}: {milliseconds(row.ms)} ms, {share} %",
                own,
                _ms(row),
                _branches(breakdown, breakdown.children(row.path), colors, own),
            )
        )
    return tuple(branches)


def _ms(row: Row) -> float:
    return max(row.ms or 0.0, 0.0)
