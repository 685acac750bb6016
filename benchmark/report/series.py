"""Many benchmarks, sorted into series: one model on one device under the same conditions.

Latencies of different devices or conditions are never in one series. Within a series, the file, the
runtime and this program may change, because a series is meant to show the effect of such changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise

from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.results.comparison import CONFIDENCE
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.statistics.bootstrap import Ratio, unpaired_ratio


@dataclass(frozen=True)
class Point:
    """A model in a benchmark.

    Attributes:
        source: the benchmark.
        model: the model.
        to_previous: latency / latency of the previous point; None without both.
        to_first: latency / latency of the first point; only the latest point with a latency has it.
        changes: descriptions of what changed since the previous point.
    """

    source: Source
    model: ModelResult
    to_previous: Ratio | None
    to_first: Ratio | None
    changes: tuple[str, ...]

    @property
    def measured_at(self) -> str:
        """When the benchmark started, to the minute, in UTC."""
        return f"{self.source.results.created_at.astimezone(UTC):%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Series:
    """The measurements of a model on a device under the same conditions, oldest first.

    Attributes:
        model: display name of the model.
        device: name and serial of the device.
        setting: the other conditions, as text.
        points: at least one point, with or without latency.
    """

    model: str
    device: str
    setting: str
    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        """The model and its device."""
        return f"{self.model} on {self.device}"

    @property
    def latest(self) -> Point:
        """The newest point."""
        return self.points[-1]

    @property
    def with_latency(self) -> tuple[Point, ...]:
        """The points whose latency has individual runs."""
        return tuple(one for one in self.points if has_latency(one.model))


def has_latency(model: ModelResult) -> bool:
    """Whether a model has a latency with individual runs."""
    return model.latency is not None and model.latency.run is not None


def series_of(sources: Sequence[Source]) -> tuple[Series, ...]:
    """Sort the models of benchmarks into series, by model, device and conditions."""
    found: dict[tuple[str, ...], list[tuple[Source, ModelResult]]] = {}
    for source in sorted(sources, key=lambda one: one.results.created_at.timestamp()):
        for model in source.results.models:
            key = (
                source.results.names[model.id],
                source.results.device.identity,
                *_conditions(source.results, model),
            )
            found.setdefault(key, []).append((source, model))
    return tuple(
        Series(
            model=key[0],
            device=device_name(members[-1][0].results),
            setting=", ".join(filter(None, key[2:])),
            points=tuple(_points(members)),
        )
        for key, members in sorted(found.items())
    )


def device_name(results: Results) -> str:
    """Return the product and the serial of a device: "Xiaomi Mi 10 (R58)"."""
    device = results.device
    product = " ".join(filter(None, (device.manufacturer, device.model)))
    return f"{product} ({device.serial})" if product else device.serial


def _conditions(results: Results, model: ModelResult) -> tuple[str, ...]:
    """Return the conditions that have to be equal within a series."""
    threads, given = results.threads_of(model), model.input
    cores = results.cores_of(model)
    where = f"core mask {cores.mask}" if cores.mask else str(cores)
    return (
        "EMULATED" if results.emulated else "",
        results.backend,
        results.computed_on,
        "half precision" if results.protocol.half else "",
        f"{threads} thread{'s' * (threads != 1)} on {where}",
        f"input {'x'.join(map(str, given.shape))} {given.dtype}, {given.source}",
        "" if results.browser is None else results.browser.setting,
    )


def _points(members: Sequence[tuple[Source, ModelResult]]) -> Iterator[Point]:
    measured = [one for one in members if has_latency(one[1])]
    previous = {id(model): before for before, (_, model) in pairwise(measured)}
    for place, (source, model) in enumerate(members):
        before = previous.get(id(model))
        yield Point(
            source=source,
            model=model,
            to_previous=None if before is None else _ratio((source, model), before),
            to_first=None
            if before is None or model is not measured[-1][1]
            else _ratio((source, model), measured[0]),
            changes=tuple(_changes(members[place - 1], (source, model))) if place else (),
        )


def _ratio(new: tuple[Source, ModelResult], old: tuple[Source, ModelResult]) -> Ratio:
    ours, theirs = (run_times(source.results.rounds, model.id) for source, model in (new, old))
    seed = new[0].results.protocol.seed
    return unpaired_ratio(ours, theirs, seed=seed, confidence=CONFIDENCE)


def _changes(old: tuple[Source, ModelResult], new: tuple[Source, ModelResult]) -> Iterator[str]:
    (before, old_model), (now, new_model) = old, new
    if old_model.sha256 != new_model.sha256:
        yield f"file, now SHA-256 {new_model.sha256[:12]}"
    runtimes = (before.results.runtime, now.results.runtime)
    if runtimes[0].sha256 != runtimes[1].sha256:
        yield f"runtime, now {runtimes[1].name} {runtimes[1].version or 'of unknown version'}"
    if before.results.device.os != now.results.device.os:
        yield f"system, now {now.results.device.os or 'unknown'}"
    mine = before.results.versions.get("seaformer"), now.results.versions.get("seaformer")
    if mine[0] != mine[1]:
        yield f"seaformer, now {mine[1] or 'unknown'}"
