"""The plot of whole frames: a bar for each model, divided into stages."""

from itertools import accumulate, pairwise

from seaformer.benchmark.results.schema import STAGES, FrameTimes, Results
from seaformer.reporting import plots
from seaformer.reporting.numbers import median, milliseconds
from seaformer.reporting.plots import Rows, Segment
from seaformer.reporting.scale import Scale

BAR_HEIGHT = 34
"""Height of a bar in pixels."""

LEGEND = tuple((stage, color) for color, stage in enumerate(STAGES))
"""Name and color of each stage, in processing order."""


def frames(results: Results) -> Rows | None:
    """Draw the medians of the stages; None without frames, and if the device is emulated."""
    if results.emulated:
        return None
    found = {model.id: model.frame for model in results.models if model.frame is not None}
    if not found:
        return None
    bars = {model: _segments(frame) for model, frame in found.items()}
    rows = tuple(
        plots.Row(results.names[model], f"{median(frame.frame_ms)} ms", bars[model])
        for model, frame in found.items()
    )
    longest = max(bar[-1].end for bar in bars.values())
    return Rows(Scale.over([0.0, longest]), "ms, medians of the stages", BAR_HEIGHT, rows)


def _segments(frame: FrameTimes) -> tuple[Segment, ...]:
    ends = accumulate((stage.median_ms for stage in frame.stages.values()), initial=0.0)
    return tuple(
        Segment(name, STAGES.index(name), start, end, milliseconds(end - start))
        for name, (start, end) in zip(frame.stages, pairwise(ends), strict=True)
    )
