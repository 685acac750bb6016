"""A task of `seaformer-benchmark pareto`: networks, and their published figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.results.schema import ModelResult
from seaformer.benchmark.studies.study import Export


@dataclass(frozen=True)
class Published:
    """Published figures of a measured model.

    Attributes:
        title: name of the network for people.
        family: networks of one design, such as "SeaFormer".
        score: accuracy in percent; None if none is published for this model.
        source: where the score is published, with its weights and size, or why it is unknown.
        params_m: parameters, in millions; None if no source states them.
        macs_g: multiply-accumulates for one image, in units of 10^9; None if no source states them.
        latencies_ms: name of a phone in `PHONES` -> published latency on it.
    """

    title: str
    family: str
    score: float | None
    source: str
    params_m: float | None = None
    macs_g: float | None = None
    latencies_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ParetoTask:
    """Networks and published figures for a plot.

    Attributes:
        metric: accuracy, such as "mIoU".
        data: description of the images on which the accuracy is measured.
        base: title of the network to which ratios are relative, if it is measured.
        networks: returns the exports of all networks, for a command without MODEL.
        published: returns the published figures of a model, or why it cannot be compared.
        extra: the extra that building these networks needs in addition to `export`; may be empty.
        phones: names in `PHONES` of the phones with published latencies.
    """

    metric: str
    data: str
    base: str
    networks: Callable[[], Sequence[Export]]
    published: Callable[[ModelResult], Published | str]
    extra: str = ""
    phones: tuple[str, ...] = ()


def is_in_floating_point(model: ModelResult) -> bool:
    """Whether published accuracy, measured in PyTorch, holds for a file of this precision."""
    return model.precision in PRECISIONS and not PRECISIONS[model.precision].is_quantized
