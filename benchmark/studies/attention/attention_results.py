"""What `seaformer-benchmark attention` found, as a JSON object.

The runs themselves are in one results.json for each side (`benchmark.results.schema`), named
here. As there, a time from an emulated processor is no latency.
"""

from collections.abc import Mapping

from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.benchmark.studies.attention.growth import Growth
from seaformer.statistics.bootstrap import Summary

STEM = "attention"
"""Name of the files, before .json, .csv and .html."""


class Point(FrozenModel):
    """A layer at a side.

    Attributes:
        side: of the square feature map.
        latency: null if the device is emulated or nothing was measured.
        emulated: the same of an emulated device: no latency.
        peak_memory_bytes: of a process with this layer alone, the runtime's own included; null if
            unknown.
        added_peak_bytes: what the layer adds to that at its peak; null if unknown.
        macs: multiply-accumulates.
        file: path of the model, from the folder of this object.
        wrong_output: whether the device computes something else, so that there is no time.
    """

    side: int
    latency: Summary | None
    emulated: Summary | None
    peak_memory_bytes: int | None
    added_peak_bytes: int | None = None
    macs: int | None
    file: str
    wrong_output: bool


class SideLeftOut(FrozenModel):
    """A layer at a side that was not measured, and why."""

    side: int
    reason: str


class LayerResult(FrozenModel):
    """One layer.

    Attributes:
        kind: its name in `seaformer.models.registry.LAYERS`.
        title: in words.
        source: where it is described.
        complexity: of its attention, in the paper's symbols.
        growth: exponent of the side by that.
        measured_growth: as fitted; null with fewer than two sides, or on an emulated device.
        note: what else a reader should know; may be empty.
        points: by ascending side.
        left_out: by ascending side.
        paper_ms: side -> milliseconds of the paper's own figure; empty if it has none.
        paper_growth: fitted to those in the same way.
    """

    kind: str
    title: str
    source: str
    complexity: str
    growth: int
    measured_growth: Growth | None
    note: str
    points: tuple[Point, ...]
    left_out: tuple[SideLeftOut, ...]
    paper_ms: Mapping[int, float]
    paper_growth: Growth | None


class SideResult(FrozenModel):
    """The benchmark of a side.

    Attributes:
        side: of the feature map.
        results: path of its results.json, from the folder of this object.
        problem: why it is not complete; null if it is.
        warnings: what a reader of its numbers has to know.
    """

    side: int
    results: str
    problem: str | None
    warnings: tuple[str, ...]


class AttentionResults(StudyDocument):
    """The whole object.

    Attributes:
        interrupted: whether Ctrl-C ended it before every side was measured.
        channels: of every layer.
        heads: of every layer.
        key_dim: query and key channels of a head.
        sides: one benchmark for each, in which all layers of that side take turns.
        layers: in the order of the table.
        paper_source: of the paper's times.
    """

    interrupted: bool
    channels: int
    heads: int
    key_dim: int
    sides: tuple[SideResult, ...]
    layers: tuple[LayerResult, ...]
    paper_source: str
