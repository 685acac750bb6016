"""Results of `seaformer-benchmark attention` as a JSON object.

The individual runs are in one results.json per side (`benchmark.results.schema`), with its path
here. As there, a time from an emulated processor is not a latency.
"""

from collections.abc import Mapping

from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.benchmark.studies.attention.growth import Growth
from seaformer.statistics.bootstrap import Summary

STEM = "attention"
"""Name of the files without .json, .csv or .html."""


class Point(FrozenModel):
    """A layer, or a network with it, at a side of the feature map, or of the image.

    Attributes:
        side: side of the square feature map or image.
        latency: null if the device is emulated or nothing was measured.
        emulated: the times on an emulated device, which are not latency.
        peak_memory_bytes: peak memory of a process with only this layer, including the runtime;
            null if unknown.
        added_peak_bytes: peak memory that the layer adds to a process; null if unknown.
        params: parameters; null if unknown.
        macs: multiply-accumulates.
        file: path of the model, relative to the folder of this file.
        wrong_output: whether the output differs from the reference, which discards the latency.
    """

    side: int
    latency: Summary | None
    emulated: Summary | None
    peak_memory_bytes: int | None
    added_peak_bytes: int | None = None
    params: int | None = None
    macs: int | None
    file: str
    wrong_output: bool


class SideLeftOut(FrozenModel):
    """A layer and side that was not measured, and the reason."""

    side: int
    reason: str


class LayerResult(FrozenModel):
    """One layer.

    Attributes:
        kind: its name in `seaformer.models.registry.LAYERS`.
        title: display name.
        source: where it is described.
        complexity: cost of its attention, in the paper's notation.
        growth: the resulting exponent of the side.
        measured_growth: fitted exponent; null with fewer than two sides, or on an emulated device.
        note: remark for the reader; may be empty.
        points: measured sides, in ascending order.
        left_out: sides that were not measured, in ascending order.
        paper_ms: side -> milliseconds in the paper's figure; empty if it has none.
        paper_growth: exponent fitted to these latencies in the same way.
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
        side: side of the feature map, or of the image.
        results: path of its results.json, relative to the folder of this file.
        problem: why it is incomplete; null if it is complete.
        warnings: caveats about its numbers.
    """

    side: int
    results: str
    problem: str | None
    warnings: tuple[str, ...]


class AttentionResults(StudyDocument):
    """Results of all layers and sides.

    Attributes:
        interrupted: whether Ctrl-C stopped it before every side was measured.
        inside: title of the network whose attention the layers replace; null for single layers.
        channels: number of channels of every layer; null in a network, as the next two.
        heads: number of heads of every layer.
        key_dim: query and key channels of a head.
        sides: one benchmark per side, in which all layers of that side are interleaved.
        layers: results of the layers, in the order of the table.
        paper_source: source of the paper's times.
    """

    interrupted: bool
    inside: str | None = None
    channels: int | None
    heads: int | None
    key_dim: int | None
    sides: tuple[SideResult, ...]
    layers: tuple[LayerResult, ...]
    paper_source: str
