"""Export every layer for every side, measure side by side, and sum up.

The layers of one side take turns in one benchmark, as any models do; times of different sides are
from different benchmarks, one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.progress import track

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.exports import export_models
from seaformer.benchmark.request import MODELS_NAME, Request
from seaformer.benchmark.results import ModelResult, Results
from seaformer.benchmark.run import run
from seaformer.benchmark.studies.attention import paper
from seaformer.benchmark.studies.attention.growth import fit, fit_rounds
from seaformer.benchmark.studies.attention.request import Absent, plan
from seaformer.benchmark.studies.attention.schema import (
    AttentionResults,
    LayerResult,
    LeftOut,
    Point,
    SideResult,
)
from seaformer.benchmark.summary import run_times
from seaformer.benchmark.table import conditions_line
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.models.attention.dimensions import CHANNELS, HEADS, KEY_DIM
from seaformer.models.entry import Network


@dataclass(frozen=True)
class _File:
    layer: Network
    side: int
    path: Path


@dataclass(frozen=True)
class _Side:
    """The benchmark of a side: its files in order, its results, and where they are."""

    side: int
    files: tuple[_File, ...]
    results: Results
    path: Path


def measure_attention(
    layers: Sequence[Network],
    sides: Sequence[int],
    request: Request,
    device: Device,
    console: Console,
) -> AttentionResults:
    """Do all of it.

    Args:
        layers: to compare.
        sides: of the feature map.
        request: of a benchmark, without paths; its output is the folder for everything.
        device: to measure on.
        console: for the progress.

    Raises:
        SeaformerError: nothing could be exported or measured.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    created_at = datetime.now(UTC)
    planned, absent = plan(layers, sides, psutil.virtual_memory().available)
    files, failed = _export(planned, request, console)
    left_out = [*absent, *failed]
    measured: list[_Side] = []
    problems: list[str] = []
    interrupted = False
    for side in sides:
        chosen = tuple(file for file in files if file.side == side)
        if not chosen:
            continue
        console.print(f"side {side}: {', '.join(file.layer.size for file in chosen)}")
        try:
            one = _measure(side, chosen, request, device, console)
        except SeaformerError as error:
            problems.append(f"side {side}: {error}")
            left_out += [Absent(file.layer, side, str(error)) for file in chosen]
            continue
        except KeyboardInterrupt:
            if not measured:
                raise
            interrupted = True
            break
        measured.append(one)
        if one.results.stopped_by == "interrupt":
            interrupted = True
            break
    if not measured:
        reasons = dict.fromkeys(problems or [one.reason for one in left_out])
        raise SeaformerError(f"nothing was measured: {' '.join(reasons)}")
    first = measured[0].results
    return AttentionResults(
        created_at=created_at,
        command=request.command,
        conditions=conditions_line(first),
        emulated=first.emulated,
        interrupted=interrupted,
        channels=CHANNELS,
        heads=HEADS,
        key_dim=KEY_DIM,
        sides=tuple(
            SideResult(
                side=one.side,
                results=str(one.path.relative_to(request.output)),
                problem=one.results.problem,
                warnings=one.results.warnings,
            )
            for one in measured
        ),
        layers=tuple(_layer_result(layer, measured, left_out, request) for layer in layers),
        paper_source=paper.SOURCE,
    )


def _export(
    planned: Sequence[tuple[Network, int]], request: Request, console: Console
) -> tuple[list[_File], list[Absent]]:
    """Export each layer and side once; what fails is left out with the command's own reason."""
    folder = request.output / MODELS_NAME
    files, failed = [], []
    for layer, side in track(planned, "exporting", console=console, transient=True):
        arguments = ["--model", layer.name, "--input-size", str(side), "--format", "tflite"]
        console.print(f"exporting {layer.size} for {side}x{side}", style="dim")
        try:
            (path,) = export_models(
                [*arguments, *(["--force"] if request.force else [])], folder, lambda _: None
            )
        except SeaformerError as error:
            failed.append(Absent(layer, side, str(error)))
        else:
            files.append(_File(layer, side, path))
    return files, failed


def _measure(
    side: int, files: tuple[_File, ...], request: Request, device: Device, console: Console
) -> _Side:
    paths = tuple(file.path for file in files)
    own = replace(request, paths=paths, output=request.output / f"side-{side}")
    finished = run(own, [device], console)
    return _Side(side, files, finished.results[0], finished.paths[0])


def _layer_result(
    layer: Network, measured: Sequence[_Side], left_out: Sequence[Absent], request: Request
) -> LayerResult:
    assert layer.cost is not None  # every attention layer has one
    points = []
    rounds = {}
    for one in measured:
        for file, model in zip(one.files, one.results.models, strict=True):
            if file.layer is not layer:
                continue
            points.append(_point(one, model, request))
            if model.latency is not None and model.latency.run is not None:
                rounds[one.side] = run_times(one.results.rounds, model.id)
    paper_ms = paper.TIMES_MS.get(layer.size, {})
    return LayerResult(
        kind=layer.size,
        title=layer.title,
        source=layer.paper,
        complexity=layer.cost.complexity,
        growth=layer.cost.growth,
        measured_growth=fit_rounds(rounds, request.seed),
        note=layer.note,
        points=tuple(points),
        left_out=tuple(
            LeftOut(side=one.side, reason=one.reason) for one in left_out if one.layer is layer
        ),
        paper_ms=dict(paper_ms),
        paper_growth=fit(paper_ms),
    )


def _point(one: _Side, model: ModelResult, request: Request) -> Point:
    return Point(
        side=one.side,
        latency=None if model.latency is None else model.latency.run,
        emulated=None if model.emulated is None else model.emulated.run,
        peak_memory_bytes=model.peak_memory_bytes,
        macs=model.facts.macs,
        file=str(Path(model.file).relative_to(request.output)),
        wrong_output=model.is_wrong,
    )
