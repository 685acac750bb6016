"""Quantized files from a single-precision file: calibrate, quantize, measure loss and latency."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from seaformer.artifact.metadata import Accuracy, Latency, Quantization
from seaformer.artifact.precisions import Format, Precision
from seaformer.errors import SeaformerError
from seaformer.export.export_context import Candidate, ExportContext
from seaformer.export.module_titles import title_of_group, titles_of
from seaformer.export.quantize import mixed_precision_report, sensitivity_report
from seaformer.export.quantize.calibration import Images, network_inputs
from seaformer.export.quantize.engine import Engine
from seaformer.export.quantize.independent_images import misfit
from seaformer.export.quantize.latency import measure_latency
from seaformer.export.quantize.learned import ranges_of
from seaformer.export.quantize.mixed_precision import Step, search
from seaformer.export.quantize.module_patterns import match
from seaformer.export.quantize.quality import Reference, open_bytes
from seaformer.export.quantize.sensitivity import Row, Sensitivity, rank, tensors_of
from seaformer.export.report import Report, Stage
from seaformer.files import write_text
from seaformer.quantization.ranges import Activation, choose
from seaformer.runtimes import ImageSession

OBSERVED = 12
"""Maximum number of independent images on which the ranges are compared."""


class QuantizedFiles:
    """Makes the quantized files of one format.

    Args:
        context: the export.
        format: format of the files.
        single: the single-precision model, without metadata.
        engine: quantizer of that model.
        report: prints stages and warnings.
    """

    def __init__(
        self, context: ExportContext, format: Format, single: bytes, engine: Engine, report: Report
    ) -> None:
        self._context = context
        self._options = context.request.quantization
        self._format = format
        self._single = single
        self._engine = engine
        self._report = report
        self._seen: dict[str, Activation] = {}
        calibration = context.calibration
        self._calibrated_with = "" if calibration is None else calibration.images.name
        self._is_random = calibration is not None and calibration.is_random

    def candidates(self, precisions: Sequence[Precision]) -> Iterator[Candidate]:
        """Quantize to each of the precisions.

        Raises:
            SeaformerError: an image is damaged, no range can be chosen, or the budget cannot be
                met.
        """
        calibration = self._context.calibration
        if calibration is not None and any(self._context.calibrates(row) for row in precisions):
            self._observe(calibration.images)
        with open_bytes(self._single, self._format) as session:
            reference = independent = None
            if calibration is not None and calibration.test is not None:
                reference = self._reference(session, calibration.test, calibration.classes)
            if self._context.independent is not None:
                unseen = self._context.independent
                independent = self._reference(session, unseen.images, unseen.classes)
            for precision in precisions:
                yield self._candidate(precision, reference, independent)

    def _observe(self, images: Images) -> None:
        with self._report.stage(f"calibrate {self._format.name}") as stage:
            inputs = stage.follow(self._inputs(images), images.count)
            self._seen = self._engine.observe(inputs)
            stage.result = f"{len(self._seen)} activations, {images.name}"
        if self._context.independent is not None and not self._is_random:
            unseen = self._context.independent.images
            some = replace(unseen, count=min(unseen.count, OBSERVED))
            if narrow := misfit(self._seen, self._engine.observe(self._inputs(some))):
                self._report.warn(
                    f"{narrow} {unseen.name}. Calibrate with images like those that the model "
                    "will see in use."
                )

    def _inputs(self, images: Images) -> Iterator[np.ndarray]:
        context = self._context
        inside = context.request.normalize == "inside"
        return network_inputs(images, context.request.task.preprocessing, context.size, inside)

    def _reference(self, session: ImageSession, images: Images, classes: int | None) -> Reference:
        request = self._context.request
        inside = request.normalize == "inside"
        meaning = self._context.source.contract.meaning
        return Reference(
            session,
            images,
            request.task.preprocessing,
            inside,
            classes,
            meaning,
            self._context.samples[0].detection,
        )

    def _candidate(
        self, precision: Precision, reference: Reference | None, independent: Reference | None
    ) -> Candidate:
        engine, format = self._engine, self._format
        method = None
        is_calibrated = self._context.calibrates(precision)
        if is_calibrated:
            method = self._options.method or precision.range_method
            engine.ranges = choose(self._seen, str(method))
        elif precision.is_calibrated:
            self._take_learned_ranges()
        kept_modules = self._options.kept(precision)
        kept = match(kept_modules, engine.operators)
        if self._options.sensitivity and precision.is_calibrated:
            self._rank(precision, _required(reference, "--sensitivity"), kept)
        if self._options.is_mixed and precision.is_calibrated and precision.keep_option:
            found = self._search(precision, _required(reference, "--mixed-precision"), kept)
            kept_modules = (*kept_modules, *found.kept_modules)
            kept = match(kept_modules, engine.operators)
        with self._report.stage(f"quantize {format.name} {precision.name}") as stage:
            data = engine.quantize(precision.name, kept)
            in_float = engine.float_operators(data, precision.name)
            wide = engine.wide_operators(data)
            operators = engine.map_operators(data)
            stage.result = f"{len(data) / 1e6:.2f} MB, " + (
                f"{len(wide)} of {len(operators)} operators at 16 bits"
                if precision.keep_option == "--keep-16bit"
                else f"{len(in_float)} of {len(operators)} operators in float"
            )
        accuracy = None if reference is None else self._measure(precision, data, reference, "fp32")
        on_independent = None
        if independent is not None:
            on_independent = self._measure(precision, data, independent, "fp32, independent")
        # The latency of a file for NPUs is meaningless on a CPU.
        latency = None if precision.for_npu else self._time(precision, data)
        return Candidate(
            format,
            precision,
            data,
            operators,
            ports=engine.ports(data),
            quantization=Quantization(
                engine=engine.title,
                calibration=self._calibrated_with if is_calibrated else None,
                method=method,
                is_random=self._is_random and is_calibrated,
                is_learned=precision.is_calibrated and not is_calibrated,
                kept_modules=kept_modules,
                float_operators=tuple(in_float),
                wide_operators=tuple(wide),
                accuracy=accuracy,
                independent=on_independent,
                latency=latency,
                accepted_loss=False,
            ),
        )

    def _take_learned_ranges(self) -> None:
        source = self._context.source
        assert source.learned is not None
        with self._report.stage(f"learned ranges, {self._format.name}") as stage:
            self._engine.ranges = ranges_of(source.learned, source.model, self._engine)
            stage.result = f"{len(source.learned.ranges)} from '{source.weights.name}'"

    def _measure(
        self, precision: Precision, data: bytes, reference: Reference, what: str
    ) -> Accuracy:
        title = f"compare {self._format.name} {precision.name} with {what}"
        with self._report.stage(title) as stage:
            some = reference.spread(precision.test_images)
            accuracy = some.measure_file(data, self._format, stage.progress)
            score = accuracy_in_words(accuracy, self._context.request.task.score_name)
            stage.result = f"SQNR {accuracy.sqnr_db:.1f} dB, {score}"
        return accuracy

    def _time(self, precision: Precision, data: bytes) -> Latency | None:
        title = f"latency of {self._format.name} {precision.name}"
        with self._report.stage(title) as stage:
            latency = self._latency(data, stage)
            if latency is None:
                stage.result = "not measured"
                return None
            low, high = latency.interval
            stage.result = f"{latency.ratio:.2f} ({low:.2f} to {high:.2f}) times fp32, on this host"
        if high >= 1 and not precision.caution:
            self._report.warn(
                f"{precision.name} is not faster than fp32 on this computer: {latency.ratio:.2f} "
                f"({low:.2f} to {high:.2f}) times its latency on one thread of "
                f"{latency.processor}. A phone's processor has other integer instructions; measure "
                "there."
            )
        return latency

    def _latency(self, data: bytes, stage: Stage) -> Latency | None:
        """Measure relative to the single-precision file; None, with a warning, if that fails."""
        try:
            return measure_latency(self._single, data, self._format, stage.show)
        except SeaformerError as error:
            self._report.warn(f"the latency was not measured: {error}")
            return None

    def _rank(self, precision: Precision, reference: Reference, kept: frozenset[int]) -> None:
        context, engine = self._context, self._engine
        with self._report.stage(f"rank modules, {self._format.name} {precision.name}") as stage:
            ranking = rank(
                engine,
                precision.name,
                self._format,
                reference,
                kept=kept,
                progress=stage.progress,
            )
            images = ranking.whole.pictures
            stage.result = f"{len(ranking.rows)} groups, {images}"
        sensitivity = Sensitivity(
            model=context.stem,
            format=self._format.name,
            precision=precision.name,
            calibration=self._calibrated_with,
            score_name=context.request.task.score_name,
            kept_modules=self._options.kept(precision),
            kept_as=precision.kept_as,
            keep_option=precision.keep_option,
            always_float=len(engine.always_float) if precision.has_float else 0,
            whole=ranking.whole,
            rows=ranking.rows,
            titles=self._titles(ranking.rows),
            tensors=tensors_of(
                ranking.rows,
                engine.operators,
                engine.producers,
                self._seen,
                engine.ranges,
                precision.integer_activation_bits or 8,
            ),
        )
        self._report.console.print(sensitivity_report.ranking_table(sensitivity))
        json, page = self._beside(precision, "sensitivity")
        write_text(json, sensitivity.text())
        sensitivity_report.write_report(page, sensitivity, context.request.command)
        self._report.console.print(f"Report: {page}", soft_wrap=True)

    def _titles(self, rows: Iterable[Row]) -> dict[str, str]:
        names = [row.name for row in rows if row.level != "type"]
        paths = (name.partition("@")[0] for name in names)
        titles = titles_of(self._context.form.model, self._context.source.model, paths)
        return {name: title_of_group(name, titles) for name in names}

    def _search(self, precision: Precision, reference: Reference, kept: frozenset[int]) -> Step:
        engine, format = self._engine, self._format
        with self._report.stage(f"search mixed precision, {format.name}") as stage:

            def order() -> list[Row]:
                ranking = rank(
                    engine,
                    precision.name,
                    format,
                    reference,
                    kept=kept,
                    levels=("module",),
                    both_ways=False,
                    progress=stage.progress,
                )
                return list(ranking.rows)

            found = search(
                engine,
                precision.name,
                format,
                reference,
                self._options.budget,
                order,
                kept=kept,
                latency=lambda data: None if precision.for_npu else self._latency(data, stage),
            )
            stage.result = f"{len(found.found.kept_modules)} modules kept, {len(found.steps)} steps"
        self._report.console.print(mixed_precision_report.steps_table(found))
        json, page = self._beside(precision, "mixed-precision")
        write_text(json, found.text())
        about = f"{self._context.stem}, {format.name} {precision.name} · calibrated with "
        about += self._calibrated_with
        score_name = self._context.request.task.score_name
        mixed_precision_report.write_report(
            page, found, about, score_name, self._context.request.command
        )
        self._report.console.print(f"Report: {page}", soft_wrap=True)
        return found.found

    def _beside(self, precision: Precision, what: str) -> tuple[Path, Path]:
        """Paths of the JSON and the HTML page of a report beside the model."""
        context = self._context
        model = context.request.path(context.source.name, context.size, precision, self._format)
        stem = f"{model.suffix}.{what}"
        return model.with_suffix(f"{stem}.json"), model.with_suffix(f"{stem}.html")


def accuracy_in_words(accuracy: Accuracy, score_name: str) -> str:
    """The difference of the score with its interval; the agreement without ground truth."""
    if accuracy.detection_agreement is not None:
        return f"detections in common {100 * accuracy.detection_agreement:.1f} %"
    if accuracy.argmax_agreement is None:
        return "no classes to agree on"
    if accuracy.difference_points is None or accuracy.interval_points is None:
        return f"agreement {100 * accuracy.argmax_agreement:.2f} %"
    low, high = accuracy.interval_points
    change = f"{accuracy.difference_points:+.2f} ({low:+.2f} to {high:+.2f})"
    return f"{score_name} {accuracy.score:.2f}: {change}"


def _required(reference: Reference | None, option: str) -> Reference:
    if reference is None:
        raise SeaformerError(
            f"{option} needs real images, not noise. Give photos or a data set with --calibration "
            "DIR."
        )
    return reference
