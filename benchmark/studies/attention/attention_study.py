"""The study of attention layers over the side of the feature map.

The layers of one side are interleaved in one benchmark, as any models are; different sides are
measured in different benchmarks, one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.request import make_request
from seaformer.benchmark.presentation.terminal import conditions_line
from seaformer.benchmark.results.rounds import run_times
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.benchmark.studies.attention import paper
from seaformer.benchmark.studies.attention.attention_page import write_attention_page
from seaformer.benchmark.studies.attention.attention_results import (
    STEM,
    AttentionResults,
    LayerResult,
    Point,
    SideLeftOut,
    SideResult,
)
from seaformer.benchmark.studies.attention.attention_table import print_attention, to_csv
from seaformer.benchmark.studies.attention.growth import fit, fit_rounds
from seaformer.benchmark.studies.study import DocumentStudy, Export, Finished, LeftOut, Planned
from seaformer.console import Console
from seaformer.errors import SeaformerError
from seaformer.models.attention.dimensions import CHANNELS, HEADS, KEY_DIM
from seaformer.models.entry import Network
from seaformer.models.registry import REGISTRY

USABLE = 0.8
"""Limit for the estimated memory of an export, as a share of free memory. At 95 %, an export was
killed."""


@dataclass(frozen=True)
class LayerExport(Export):
    """Export of a layer, or of a network with it, for square maps or images of a side."""

    layer: Network
    side: int


def plan_exports(
    layers: Sequence[Network], sides: Sequence[int], available_bytes: int
) -> tuple[list[LayerExport], list[LeftOut]]:
    """Separate exports that fit the free memory of this computer from those that do not."""
    fitting, left_out = [], []
    for layer in layers:
        for side in sides:
            arguments = ("--model", layer.name, "--input-size", str(side))
            export = LayerExport(f"{layer.layer_kind} at {side}", arguments, layer, side)
            needed = layer.export_bytes((side, side)) or 0.0
            if needed <= USABLE * available_bytes:
                fitting.append(export)
                continue
            reason = (
                f"exporting and verifying it would take about {needed / 2**30:,.0f} GiB of memory, "
                f"but {available_bytes / 2**30:,.1f} GiB are free, of which {USABLE:.0%} are used"
            )
            left_out.append(LeftOut(export, reason))
    return fitting, left_out


class AttentionStudy(DocumentStudy[AttentionResults]):
    """A study of attention layers, alone or in a network, with a benchmark for each side."""

    compared = "attention layers"
    stem = STEM
    to_csv = staticmethod(to_csv)
    write_page = staticmethod(write_attention_page)
    show = staticmethod(print_attention)

    def __init__(
        self,
        options: Options,
        layers: Sequence[Network],
        sides: Sequence[int],
        inside: str | None = None,
    ) -> None:
        """Create a study; options have no models.

        Args:
            options: options of the command.
            layers: rows of the layers, or of a network with each of them.
            sides: sides of the feature map, or of the image.
            inside: name of the network; None for the layers alone.
        """
        super().__init__(make_request(options))
        self._inside = None if inside is None else REGISTRY[inside].title
        self._layers = layers
        self._sides = sides
        self._side_of = {f"side-{side}": side for side in sides}
        self._too_large: list[LeftOut] = []
        self._created_at = datetime.now(UTC)

    def plan(self) -> Sequence[Planned]:
        """Return a benchmark for each side, with the layers whose export fits the memory."""
        available_bytes = psutil.virtual_memory().available
        fitting, self._too_large = plan_exports(self._layers, self._sides, available_bytes)
        if not fitting:
            reasons = dict.fromkeys(one.reason for one in self._too_large)
            raise SeaformerError(f"nothing could be measured: {'; '.join(reasons)}.")
        return [
            Planned([export for export in fitting if export.side == side], folder)
            for folder, side in self._side_of.items()
        ]

    def show_benchmark(self, console: Console, results: Results) -> None:
        """Print nothing: `render` prints all sides together."""

    def summarize(self, finished: Finished) -> AttentionResults:
        """Fit the growth of latency over the benchmarks of all sides."""
        of_side = {self._side_of[one.planned.folder]: one for one in finished.measured}
        first = finished.results[0]
        return AttentionResults(
            created_at=self._created_at,
            command=self.options.command,
            conditions=conditions_line(first),
            emulated=first.emulated,
            interrupted=finished.interrupted,
            inside=self._inside,
            channels=None if self._inside else CHANNELS,
            heads=None if self._inside else HEADS,
            key_dim=None if self._inside else KEY_DIM,
            sides=tuple(
                SideResult(
                    side=side,
                    results=str(one.path.relative_to(self.request.output)),
                    problem=one.results.problem,
                    warnings=one.results.warnings,
                )
                for side, one in of_side.items()
            ),
            layers=tuple(
                self._layer_result(
                    layer,
                    {side: one.results for side, one in of_side.items()},
                    [
                        SideLeftOut(side=one.export.side, reason=one.reason)
                        for one in (*self._too_large, *finished.left_out)
                        if isinstance(one.export, LayerExport) and one.export.layer is layer
                    ],
                )
                for layer in self._layers
            ),
            paper_source=paper.SOURCE,
        )

    def _layer_result(
        self, layer: Network, of_side: dict[int, Results], left_out: Sequence[SideLeftOut]
    ) -> LayerResult:
        cost = layer.cost or layer.attention_cost
        assert cost is not None  # every attention layer has one
        points, rounds = [], {}
        for side, results in of_side.items():
            for model in results.models:
                if model.facts.model == layer.name:
                    points.append(self._point(side, model))
                    if model.latency is not None and model.latency.run is not None:
                        rounds[side] = run_times(results.rounds, model.id)
        paper_ms = {} if self._inside else paper.TIMES_MS.get(layer.layer_kind, {})
        return LayerResult(
            kind=layer.layer_kind,
            title=layer.title,
            source=layer.paper,
            complexity=cost.complexity,
            growth=cost.growth,
            measured_growth=fit_rounds(rounds, self.options.seed),
            note=layer.note,
            points=tuple(points),
            left_out=tuple(left_out),
            paper_ms=dict(paper_ms),
            paper_growth=fit(paper_ms),
        )

    def _point(self, side: int, model: ModelResult) -> Point:
        return Point(
            side=side,
            latency=None if model.latency is None else model.latency.run,
            emulated=None if model.emulated is None else model.emulated.run,
            peak_memory_bytes=model.peak_memory_bytes,
            added_peak_bytes=model.added_peak_bytes,
            params=model.facts.params,
            macs=model.facts.macs,
            file=str(Path(model.file).relative_to(self.request.output)),
            wrong_output=model.is_wrong,
        )
