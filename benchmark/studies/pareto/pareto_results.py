"""What `seaformer-benchmark pareto` found, as JSON; the runs are in the results.json beside."""

from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.reporting.xy_plot import Standing
from seaformer.statistics.bootstrap import Ratio, Summary

SEAFORMER = "SeaFormer"
STEM = "pareto"
"""Name of the files, before .json, .csv and .html."""


class Point(FrozenModel):
    """A network.

    Attributes:
        title: as its authors write it.
        family: networks of one design, such as "SeaFormer".
        model: its id in results.json.
        file: as it was measured.
        precision: of the file.
        is_random: whether the file's weights were never trained; null if it does not say.
        miou: published, on ADE20K val, in percent: of its authors' weights, not of the file's.
        miou_source: where that stands.
        latency: measured here; null if the device is emulated or nothing was measured.
        emulated: the same of an emulated device: no latency.
        ratio: of its latency to that of `base`; null if either has none.
        on_front: whether no network is both faster and more accurate, by the medians here.
        on_front_unclear: whether one is, but the interval of the ratio of their latencies does not
            exclude that it is slower.
        paper_latency_ms: in the paper's figure, on a phone.
        paper_ratio: of that to the base's.
        paper_on_front: as `on_front`, by the paper's latencies of these networks.
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
        """Whether it is on the front by latency here; None without one."""
        if self.latency is None:
            return None
        if self.on_front_unclear:
            return Standing.UNCLEAR
        return Standing.ON if self.on_front else Standing.BEATEN


class NetworkLeftOut(FrozenModel):
    """A network that is not in the plot, and why."""

    title: str
    reason: str


class ParetoResults(StudyDocument):
    """The whole object.

    Attributes:
        results: path of the results.json, from the folder of this object.
        problem: why it is not complete; null if it is.
        warnings: what a reader of the numbers has to know.
        base: title of the network that ratios are to.
        points: by published mIoU.
        left_out: what is not among them.
        paper_conditions: of the published figures, with their source.
    """

    results: str
    problem: str | None
    warnings: tuple[str, ...]
    base: str
    points: tuple[Point, ...]
    left_out: tuple[NetworkLeftOut, ...]
    paper_conditions: str
