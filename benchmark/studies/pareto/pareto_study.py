"""The study of published mIoU over latency measured here."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request, require_our_runner
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.published import (
    CONDITIONS,
    FIGURES,
    SIDE,
    TASK,
    Figure,
    figure_of,
)
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.benchmark.studies.pareto.pareto_page import write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_results import (
    SEAFORMER,
    STEM,
    NetworkLeftOut,
    ParetoResults,
    Point,
)
from seaformer.benchmark.studies.pareto.pareto_table import print_pareto, to_csv
from seaformer.benchmark.studies.study import DocumentStudy, Export, Finished, Planned
from seaformer.errors import SeaformerError
from seaformer.models.registry import REGISTRY
from seaformer.reporting.xy_plot import Standing, Value, standings
from seaformer.statistics.bootstrap import Ratio

BASE = FIGURES["seaformer-tiny"].title
Pair = tuple[Figure, ModelResult]


class ParetoStudy(DocumentStudy[ParetoResults]):
    """Networks with published mIoU and latency, in one benchmark."""

    compared = "networks"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_pareto_page)
    show = staticmethod(print_pareto)

    def __init__(self, options: Options) -> None:
        """Validate the options.

        Raises:
            UsageError: options cannot be combined.
            SeaformerError: a file is missing or cannot be used.
        """
        require_our_runner(options, self.compared)
        super().__init__(make_request(options))

    def plan(self) -> Sequence[Planned]:
        """Return the given models, or else all networks with published figures."""
        return [Planned(self.given_models() or networks())]

    def summarise(self, finished: Finished) -> ParetoResults:
        """Combine the measured networks with their published figures."""
        (measured,) = finished.measured
        left_out = [
            NetworkLeftOut(title=one.export.title, reason=one.reason) for one in finished.left_out
        ]
        return summarise(measured.results, measured.path.name, left_out)


def networks() -> list[Path | Export]:
    """Return the export of every network in single precision, with random weights."""
    return [
        Export(figure.title, ("--model", name, "--task", TASK, "--input-size", str(SIDE)))
        for name, figure in FIGURES.items()
    ]


def family_of(title: str) -> str:
    """Return the design of a network: the part of its title before the size."""
    network = next((one for one in REGISTRY.values() if one.title == title), None)
    if network is None:
        return title
    return SEAFORMER if network.variant is not None else network.family


def summarise(results: Results, file: str, left_out: Sequence[NetworkLeftOut]) -> ParetoResults:
    """Return the points of one benchmark of all networks, whose results.json is `file`.

    Raises:
        SeaformerError: no model has published figures.
    """
    pairs, unknown = _published(results)
    if not pairs:
        reasons = " ".join(f"'{one.title}': {one.reason}." for one in unknown)
        raise SeaformerError(f"no model has a published mIoU to plot. {reasons}")
    base_figure, base = next((pair for pair in pairs if pair[0].title == BASE), pairs[0])
    here = _standings(results, pairs)
    paper = standings(
        [Value(figure.latency_ms, figure.miou) for figure, _ in pairs], lambda *_: True
    )
    published = {
        model.id
        for (_, model), standing in zip(pairs, paper, strict=True)
        if standing is Standing.ON
    }
    return ParetoResults(
        created_at=results.created_at,
        command=results.command,
        conditions=conditions_line(results),
        emulated=results.emulated,
        results=file,
        problem=results.problem,
        warnings=results.warnings,
        base=base_figure.title,
        points=tuple(
            Point(
                title=figure.title,
                family=family_of(figure.title),
                model=model.id,
                file=model.file,
                precision=model.precision,
                is_random=model.facts.is_random,
                miou=figure.miou,
                miou_source=figure.miou_source,
                latency=None if model.latency is None else model.latency.run,
                emulated=None if model.emulated is None else model.emulated.run,
                ratio=_ratio(results, model, base),
                on_front=here.get(model.id) is Standing.ON,
                on_front_unclear=here.get(model.id) is Standing.UNCLEAR,
                paper_latency_ms=figure.latency_ms,
                paper_ratio=figure.latency_ms / base_figure.latency_ms,
                paper_on_front=model.id in published,
            )
            for figure, model in sorted(pairs, key=lambda pair: pair[0].miou)
        ),
        left_out=(*left_out, *unknown),
        paper_conditions=CONDITIONS,
    )


def _standings(results: Results, pairs: Sequence[Pair]) -> dict[str, Standing]:
    """Compare every two models with a latency, using ratios computed round by round."""
    timed = [
        (model.id, Value(model.latency.run.median_ms, figure.miou))
        for figure, model in pairs
        if model.latency is not None and model.latency.run is not None
    ]

    def is_faster(one: int, other: int) -> bool:
        ratio = results.ratio(timed[one][0], timed[other][0])
        return ratio is not None and ratio.verdict() == "faster"

    found = standings([value for _, value in timed], is_faster)
    return {model: standing for (model, _), standing in zip(timed, found, strict=True)}


def _published(results: Results) -> tuple[list[Pair], list[NetworkLeftOut]]:
    """The models with published figures, and the others with the reason."""
    pairs: list[Pair] = []
    unknown = []
    for model in results.models:
        figure = figure_of(model)
        reason = ""
        if figure is None:
            reason = "there are no published figures for its network, task, size and head"
        elif model.precision not in PRECISIONS or PRECISIONS[model.precision].is_quantized:
            reason = f"the published mIoU is not for {model.precision}"
        if figure is None or reason:
            unknown.append(NetworkLeftOut(title=Path(model.file).name, reason=reason))
        else:
            pairs.append((figure, model))
    return pairs, unknown


def _ratio(results: Results, model: ModelResult, base: ModelResult) -> Ratio | None:
    if model is base:
        return Ratio(1.0, None) if model.latency is not None else None
    return results.ratio(model.id, base.id)
