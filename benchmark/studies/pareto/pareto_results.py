"""Results of `seaformer-benchmark pareto` as JSON; the runs are in the results.json next to it."""

from pydantic import Field

from seaformer.benchmark.results.base import FrozenModel, StudyDocument
from seaformer.models.phones import PAPER_PHONE, PHONES
from seaformer.reporting.xy_plot import Standing
from seaformer.statistics.bootstrap import Ratio, Summary

SEAFORMER = "SeaFormer"
STEM = "pareto"
"""Name of the files without .json, .csv or .html."""


class PhonePoint(FrozenModel):
    """A network with a published latency on a phone.

    Attributes:
        latency_ms: latency.
        ratio: latency / latency of the base.
        on_front: whether no network is both faster and more accurate, of those measured here
            with a latency on this phone.
    """

    latency_ms: float
    ratio: float
    on_front: bool


class Point(FrozenModel):
    """A network.

    Attributes:
        title: its name in the spelling of its authors.
        family: networks of one design, such as "SeaFormer".
        model: its id in results.json.
        file: the measured file.
        precision: precision of the file.
        is_random: whether the file has random weights; null if unknown.
        input_size: height and width of its input in pixels; null if it is not an image.
        params: number of parameters, counted by the export; null if unknown.
        macs: multiply-accumulates for one image, counted by the export; null if unknown.
        published_params_m: parameters, in millions, where the score is published; null if unknown.
        published_macs_g: multiply-accumulates in units of 10^9, where the score is published; null
            if unknown.
        score: published accuracy in percent, for the weights of the source, not the file's; null if
            none is published.
        score_source: where it is published, for which weights and size, or why it is unknown.
        latency: measured here; null if the device is emulated or nothing was measured.
        emulated: the times on an emulated device, which are not latency.
        ratio: its latency / latency of `base`; null if either has none.
        on_front: whether no network is both faster and more accurate, by the medians here.
        on_front_unclear: whether a network is both, but not significantly faster: the intervals of
            their latencies overlap, or the interval of their ratio includes 1.
        paper: the same in the figure of the SeaFormer paper; null if the network is not in it.
        other_phones: the same on the phones of other publications, by the phone's title.
    """

    title: str
    family: str
    model: str
    file: str
    precision: str
    is_random: bool | None
    input_size: tuple[int, int] | None
    params: int | None
    macs: int | None
    published_params_m: float | None
    published_macs_g: float | None
    score: float | None
    score_source: str
    latency: Summary | None
    emulated: Summary | None
    ratio: Ratio | None
    on_front: bool
    on_front_unclear: bool = False
    paper: PhonePoint | None
    other_phones: dict[str, PhonePoint] = Field(default_factory=dict)

    @property
    def phones(self) -> dict[str, PhonePoint]:
        """Title of a phone -> the network on it, the paper's phone first."""
        paper = {} if self.paper is None else {PHONES[PAPER_PHONE].title: self.paper}
        return paper | self.other_phones

    @property
    def params_m(self) -> float | None:
        """Counted parameters, in millions."""
        return None if self.params is None else self.params / 1e6

    @property
    def macs_g(self) -> float | None:
        """Counted multiply-accumulates, in units of 10^9."""
        return None if self.macs is None else self.macs / 1e9

    @property
    def standing(self) -> Standing | None:
        """Whether it is on the front by latency here; None without a latency or a score."""
        if self.latency is None or self.score is None:
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
        task: value of --task.
        metric: accuracy, such as "mIoU".
        data: description of the images that the accuracy was published for.
        results: path of the results.json, relative to the folder of this file.
        problem: why it is incomplete; null if it is complete.
        warnings: caveats about the numbers.
        base: title of the network to which ratios are relative.
        points: compared networks, by published accuracy; networks without one come last.
        left_out: networks that are not among the points.
        paper_conditions: conditions of the latencies in the figure of the SeaFormer paper, with
            their source; empty without such a figure.
        other_phones: title of a phone of another publication -> the same.
    """

    task: str
    metric: str
    data: str
    results: str
    problem: str | None
    warnings: tuple[str, ...]
    base: str
    points: tuple[Point, ...]
    left_out: tuple[NetworkLeftOut, ...]
    paper_conditions: str
    other_phones: dict[str, str] = Field(default_factory=dict)

    @property
    def phones(self) -> dict[str, str]:
        """Title of every phone with published latencies -> conditions, the paper's phone first."""
        paper = {PHONES[PAPER_PHONE].title: self.paper_conditions} if self.paper_conditions else {}
        return paper | self.other_phones

    @property
    def has_random(self) -> bool:
        """Whether a measured file has random weights."""
        return any(point.is_random for point in self.points)
