"""The study of published accuracy over latency measured here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request, require_our_runner
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.benchmark.studies.pareto.classification_networks import IMAGENET
from seaformer.benchmark.studies.pareto.pareto_page import write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_results import (
    STEM,
    NetworkLeftOut,
    ParetoResults,
    PhonePoint,
    Point,
)
from seaformer.benchmark.studies.pareto.pareto_table import print_pareto, to_csv
from seaformer.benchmark.studies.pareto.pareto_task import ParetoTask, Published
from seaformer.benchmark.studies.pareto.segmentation_networks import ADE20K
from seaformer.benchmark.studies.study import DocumentStudy, Finished, Planned
from seaformer.errors import SeaformerError
from seaformer.extras import require
from seaformer.models.phones import PAPER_PHONE, PHONES
from seaformer.reporting.xy_plot import Standing, Value, standings
from seaformer.statistics.bootstrap import Ratio

TASKS: Mapping[str, ParetoTask] = MappingProxyType({"ade20k": ADE20K, "imagenet": IMAGENET})
"""Value of --task -> what is plotted."""

Pair = tuple[Published, ModelResult]


class ParetoStudy(DocumentStudy[ParetoResults]):
    """Networks with published accuracy, in one benchmark."""

    compared = "networks"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_pareto_page)
    show = staticmethod(print_pareto)

    def __init__(self, options: Options, task: str) -> None:
        """Validate the options.

        Raises:
            UsageError: options cannot be combined.
            MissingExtraError: the networks of the task are from libraries that are not installed.
            SeaformerError: a file is missing or cannot be used.
        """
        require_our_runner(options, self.compared)
        super().__init__(make_request(options))
        self._task = task
        if TASKS[task].extra and not self.request.models:
            require(TASKS[task].extra)

    def plan(self) -> Sequence[Planned]:
        """Return the given models, or else all networks of the task."""
        return [Planned(self.given_models() or TASKS[self._task].networks())]

    def summarize(self, finished: Finished) -> ParetoResults:
        """Combine the measured networks with their published figures."""
        (measured,) = finished.measured
        left_out = [
            NetworkLeftOut(title=one.export.title, reason=one.reason) for one in finished.left_out
        ]
        return combine(self._task, measured.results, measured.path.name, left_out)


def combine(
    name: str, results: Results, file: str, left_out: Sequence[NetworkLeftOut]
) -> ParetoResults:
    """Return the points of a benchmark of all networks of a task; `file` names its results.json.

    Raises:
        SeaformerError: no model has a published accuracy.
    """
    task = TASKS[name]
    pairs, unknown = _published(task, results)
    if not any(published.score is not None for published, _ in pairs):
        reasons = [(published.title, published.source) for published, _ in pairs]
        reasons += [(one.title, one.reason) for one in unknown]
        raise SeaformerError(
            f"no model has a published {task.metric} to plot. "
            + " ".join(f"'{title}': {reason}." for title, reason in reasons)
        )
    base_published, base = next((pair for pair in pairs if pair[0].title == task.base), pairs[0])
    here = _standings(results, pairs)
    by_phone = {
        name: _phone_points(pairs, base_published, name)
        for name in task.phones
        if name in base_published.latencies_ms
    }
    paper = by_phone.pop(PAPER_PHONE, {})
    return ParetoResults(
        created_at=results.created_at,
        command=results.command,
        conditions=conditions_line(results),
        emulated=results.emulated,
        task=name,
        metric=task.metric,
        data=task.data,
        results=file,
        problem=results.problem,
        warnings=results.warnings,
        base=base_published.title,
        points=tuple(
            Point(
                title=published.title,
                family=published.family,
                model=model.id,
                file=model.file,
                precision=model.precision,
                is_random=model.facts.is_random,
                input_size=model.input.size,
                params=model.facts.params,
                macs=model.facts.macs,
                published_params_m=published.params_m,
                published_macs_g=published.macs_g,
                score=published.score,
                score_source=published.source,
                latency=None if model.latency is None else model.latency.run,
                emulated=None if model.emulated is None else model.emulated.run,
                ratio=_ratio(results, model, base),
                on_front=here.get(model.id) is Standing.ON,
                on_front_unclear=here.get(model.id) is Standing.UNCLEAR,
                paper=paper.get(model.id),
                other_phones={
                    PHONES[name].title: points[model.id]
                    for name, points in by_phone.items()
                    if model.id in points
                },
            )
            for published, model in sorted(
                pairs, key=lambda pair: (pair[0].score is None, pair[0].score or 0.0)
            )
        ),
        left_out=(*left_out, *unknown),
        paper_conditions=PHONES[PAPER_PHONE].conditions if paper else "",
        other_phones={PHONES[name].title: PHONES[name].conditions for name in by_phone},
    )


def _standings(results: Results, pairs: Sequence[Pair]) -> dict[str, Standing]:
    """Compare every two models with a score and a latency.

    A model is significantly faster if the interval of the latency ratio says so and the intervals
    of the two latencies, which the plot shows, do not overlap.
    """
    timed = [
        (model.id, model.latency.run, published.score)
        for published, model in pairs
        if published.score is not None
        and model.latency is not None
        and model.latency.run is not None
    ]

    def is_faster(one: int, other: int) -> bool:
        ratio = results.ratio(timed[one][0], timed[other][0])
        mine, others = timed[one][1].interval_ms, timed[other][1].interval_ms
        if ratio is None or mine is None or others is None:
            return False
        return ratio.verdict() == "faster" and mine.high < others.low

    values = [Value(latency.median_ms, score) for _, latency, score in timed]
    found = standings(values, is_faster)
    return {model: standing for (model, _, _), standing in zip(timed, found, strict=True)}


def _phone_points(pairs: Sequence[Pair], base: Published, phone: str) -> dict[str, PhonePoint]:
    """Compare the models by their published latencies on one phone; return them by their ids."""
    drawn = [
        (model.id, Value(published.latencies_ms[phone], published.score))
        for published, model in pairs
        if phone in published.latencies_ms and published.score is not None
    ]
    found = standings([value for _, value in drawn], lambda *_: True)
    return {
        model: PhonePoint(
            latency_ms=value.x,
            ratio=value.x / base.latencies_ms[phone],
            on_front=standing is Standing.ON,
        )
        for (model, value), standing in zip(drawn, found, strict=True)
    }


def _published(task: ParetoTask, results: Results) -> tuple[list[Pair], list[NetworkLeftOut]]:
    """Return the models that can be compared, and the others with the reasons."""
    pairs: list[Pair] = []
    unknown = []
    for model in results.models:
        found = task.published(model)
        if isinstance(found, str):
            unknown.append(NetworkLeftOut(title=Path(model.file).name, reason=found))
        else:
            pairs.append((found, model))
    return pairs, unknown


def _ratio(results: Results, model: ModelResult, base: ModelResult) -> Ratio | None:
    if model is base:
        return Ratio(1.0, None) if model.latency is not None else None
    return results.ratio(model.id, base.id)
