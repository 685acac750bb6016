"""From a benchmark to points: published mIoU over measured latency, and who is on the front."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.published import CONDITIONS, FIGURES, Figure, figure_of
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.benchmark.studies.pareto.networks import family_of
from seaformer.benchmark.studies.pareto.pareto_results import NetworkLeftOut, ParetoResults, Point
from seaformer.errors import SeaformerError
from seaformer.reporting.xy_plot import Value, pareto_front
from seaformer.statistics.bootstrap import Ratio

BASE = FIGURES["seaformer-tiny"].title
Pair = tuple[Figure, ModelResult]


def summarise(results: Results, file: str, left_out: Sequence[NetworkLeftOut]) -> ParetoResults:
    """Put the points together.

    Args:
        results: of one benchmark of all networks.
        file: its results.json, from the folder of the outcome.
        left_out: networks that were not measured.

    Raises:
        SeaformerError: nothing is published of any of the models.
    """
    pairs, unknown = _published(results)
    if not pairs:
        reasons = " ".join(f"'{one.title}': {one.reason}." for one in unknown)
        raise SeaformerError(f"no model has a published mIoU to be drawn with. {reasons}")
    base_figure, base = next((pair for pair in pairs if pair[0].title == BASE), pairs[0])
    timed = [(figure, model) for figure, model in pairs if _median(model) is not None]
    front = pareto_front([Value(_median(model) or 0.0, figure.miou) for figure, model in timed])
    fastest = {timed[place][1].id for place in front}
    paper_front = pareto_front([Value(figure.latency_ms, figure.miou) for figure, _ in pairs])
    published = {pairs[place][1].id for place in paper_front}
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
                on_front=model.id in fastest,
                paper_latency_ms=figure.latency_ms,
                paper_ratio=figure.latency_ms / base_figure.latency_ms,
                paper_on_front=model.id in published,
            )
            for figure, model in sorted(pairs, key=lambda pair: pair[0].miou)
        ),
        left_out=(*left_out, *unknown),
        paper_conditions=CONDITIONS,
    )


def _published(results: Results) -> tuple[list[Pair], list[NetworkLeftOut]]:
    """The models that something is published of, and the others with the reason."""
    pairs: list[Pair] = []
    unknown = []
    for model in results.models:
        figure = figure_of(model)
        reason = ""
        if figure is None:
            reason = "nothing is published of it as it is, by its network, task, size and head"
        elif model.precision not in PRECISIONS or PRECISIONS[model.precision].is_quantized:
            reason = f"the published mIoU is not that of {model.precision}"
        if figure is None or reason:
            unknown.append(NetworkLeftOut(title=Path(model.file).name, reason=reason))
        else:
            pairs.append((figure, model))
    return pairs, unknown


def _median(model: ModelResult) -> float | None:
    times = model.latency
    return None if times is None or times.run is None else times.run.median_ms


def _ratio(results: Results, model: ModelResult, base: ModelResult) -> Ratio | None:
    if model is base:
        return Ratio(1.0, None) if model.latency is not None else None
    return results.ratio(model.id, base.id)
