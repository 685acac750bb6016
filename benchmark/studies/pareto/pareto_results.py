"""Results of `seaformer-benchmark pareto` as JSON; the runs are in the results.json next to it."""

from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.reporting.xy_plot import Standing
from seaformer.statistics.bootstrap import Ratio, Summary

SEAFORMER = "SeaFormer"
STEM = "pareto"
"""Name of the files without .json, .csv or .html."""


class Point(FrozenModel):
    """A network.

    Attributes:
        title: as its authors spell it.
        family: networks of one design, such as "SeaFormer".
        model: its id in results.json.
        file: the measured file.
        precision: of the file.
        is_random: whether the file has random weights; null if unknown.
        miou: published, on ADE20K val, in percent, for the authors' weights, not the file's.
        miou_source: where it is published.
        latency: measured here; null if the device is emulated or nothing was measured.
        emulated: the times on an emulated device, which are not latency.
        ratio: its latency / that of `base`; null if either has none.
        on_front: whether no network is both faster and more accurate, by the medians here.
        on_front_unclear: whether a network is both, but the interval of the ratio of their
            latencies does not exclude that it is slower.
        paper_latency_ms: latency in the paper's figure, on a phone.
        paper_ratio: that latency / that of the base.
        paper_on_front: like `on_front`, by the paper's latencies of these networks.
    """

    title: str
    family: str
    model: str
    file: str
    precision: str
    is_random: bool | None
    miou: float
    miou_source: str
    latency: Summary | None
    emulated: Summary | None
    ratio: Ratio | None
    on_front: bool
    on_front_unclear: bool = False
    paper_latency_ms: float
    paper_ratio: float
    paper_on_front: bool

    @property
    def standing(self) -> Standing | None:
        """Whether it is on the front by latency here; None without a latency."""
        if self.latency is None:
            return None
        if self.on_front_unclear:
            return Standing.UNCLEAR
        return Standing.ON if self.on_front else Standing.BEATEN


class NetworkLeftOut(FrozenModel):
    """A network that is not in the plot, and the reason."""

    title: str
    reason: str


class ParetoResults(StudyDocument):
    """Results of all networks.

    Attributes:
        results: path of the results.json, relative to the folder of this file.
        problem: why it is not complete; null if it is.
        warnings: caveats about the numbers.
        base: title of the network to which ratios are relative.
        points: by published mIoU.
        left_out: networks that are not among the points.
        paper_conditions: conditions of the published figures, with their source.
    """

    results: str
    problem: str | None
    warnings: tuple[str, ...]
    base: str
    points: tuple[Point, ...]
    left_out: tuple[NetworkLeftOut, ...]
    paper_conditions: str
