"""Published figures of the networks that a benchmark may have measured, with their sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.models.phones import PAPER_PHONE, PHONES
from seaformer.models.registry import REGISTRY
from seaformer.network_names import stored_name
from seaformer.statistics.bootstrap import Ratio

TASK = "ade20k"
SIDE = 512
CONDITIONS = PHONES[PAPER_PHONE].conditions


@dataclass(frozen=True)
class Figure:
    """The published figures of a network, under the name its authors use.

    Attributes:
        latencies_ms: name of a phone in `PHONES` -> latency on it.
        miou: on ADE20K val, in percent.
        miou_source: where it is published.
    """

    title: str
    latencies_ms: Mapping[str, float]
    miou: float
    miou_source: str

    @property
    def paper_ms(self) -> float | None:
        """Latency on the phone of the SeaFormer paper; None if it is not in its figure."""
        return self.latencies_ms.get(PAPER_PHONE)

    def paper_ratio(self, base: "Figure") -> float | None:
        """Latency relative to another network on the paper's phone; None if either has none."""
        if self.paper_ms is None or base.paper_ms is None:
            return None
        return self.paper_ms / base.paper_ms


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        network.name: Figure(
            network.title,
            network.published.latencies_ms,
            network.published.miou,
            network.published.miou_source,
        )
        for network in REGISTRY.values()
        if network.published is not None
    }
)
"""Name of a network -> its published figures."""


@dataclass(frozen=True)
class PaperRow:
    """A measured model with its published figures.

    Attributes:
        base: the network that both ratios are relative to; None if it is this one.
        published_ratio: published latency / published latency of `base`.
        ratio: the measured ratio; None if the two have no rounds in common.
    """

    figure: Figure
    model: ModelResult
    base: Figure | None
    published_ratio: float | None
    ratio: Ratio | None


def paper_rows(results: Results) -> tuple[PaperRow, ...]:
    """The measured models of networks in the paper's figure, at its task and input size.

    Ratios are relative to the first model of the same precision: comparing a quantized file with
    one in floating point, or one file with several settings, does not compare networks.
    """
    rows: list[PaperRow] = []
    for model in results.models:
        figure = figure_of(model)
        if figure is None or figure.paper_ms is None or model.latency is None or model.setting:
            continue
        same = (row for row in rows if row.model.precision == model.precision and row.base is None)
        if first := next(same, None):
            published = figure.paper_ratio(first.figure)
            ratio = results.ratio(model.id, first.model.id)
            rows.append(PaperRow(figure, model, first.figure, published, ratio))
        else:
            rows.append(PaperRow(figure, model, None, None, None))
    return tuple(rows)


def figure_of(model: ModelResult) -> Figure | None:
    """The published figures of a model; None for another network, size or task."""
    facts = model.facts
    is_published = (
        facts.task == TASK and facts.head == "logits" and model.input.size == (SIDE, SIDE)
    )
    if facts.variant is not None and facts.name != f"seaformer_{facts.variant}_{TASK}":
        is_published = False  # an ablation, which has the variant it was made from
    return FIGURES.get(stored_name(facts.variant, facts.model) or "") if is_published else None
