"""Whether a file is accepted: loss of quantized files, and parity on accelerators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from seaformer.artifact.detection_output import OFFSETS
from seaformer.artifact.metadata import (
    AcceleratorParity,
    Accuracy,
    Comparison,
    Metadata,
    Quantization,
)
from seaformer.artifact.precisions import Precision
from seaformer.errors import SeaformerError
from seaformer.export.export_context import ExportContext
from seaformer.export.report import Report
from seaformer.export.request import Request
from seaformer.export.verify.channel_errors import lost_channels, min_channel_db

PASSED = ("verified", "compiled")
"""Statuses with which a file passes on a requested accelerator."""

PHOTOGRAPH = 0
"""Index of the photo among the comparisons."""


INDEPENDENT_DB = 5.0
"""How far the SQNR on independent images may be below the threshold of the precision: these images
may be unlike those that the model will see."""


@dataclass(frozen=True)
class Figure:
    """A measured value of a quantized file, and the required minimum."""

    name: str
    reached: str
    needed: str
    is_enough: bool

    def __str__(self) -> str:
        sign = ">=" if self.is_enough else "<"
        return f"{self.name} {self.reached} {sign} {self.needed}"


def accept(
    quantization: Quantization,
    comparisons: Sequence[Comparison],
    precision: Precision,
    file_name: str,
    context: ExportContext,
    report: Report,
) -> Quantization:
    """Compare a quantized file with the thresholds of its precision, and print the figures.

    The figures are from the images held out of the calibration and from independent images. A file
    calibrated with noise is only for measuring latency, and is always accepted.

    Args:
        quantization: the record so far.
        comparisons: comparisons of the file with PyTorch; the comparison on the photo decides if
            nothing else was measured.
        precision: precision of the file.
        file_name: for the messages.
        context: the export.
        report: prints the figures.

    Returns:
        The record, with `accepted_loss` set if the file misses a threshold.

    Raises:
        SeaformerError: the file misses a threshold, and --accept-loss is not given.
    """
    if quantization.is_random:
        return quantization
    accuracy, independent = quantization.accuracy, quantization.independent
    missed = []
    if accuracy is None:
        row = comparisons[PHOTOGRAPH]
        figures = _figures(row.sqnr_db, row.argmax_agreement, precision)
        missed += _verdict(f"the {row.input}", figures, file_name, report)
    else:
        figures = _of_accuracy(accuracy, precision, context)
        missed += _verdict(accuracy.pictures, figures, file_name, report)
    if independent is not None:
        images = independent.pictures
        least = replace(
            precision,
            min_sqnr_db=precision.min_sqnr_db - INDEPENDENT_DB,
            min_agreement=precision.device_min_agreement,
        )
        found = _verdict(images, _of_accuracy(independent, least, context), file_name, report)
        if found and context.judges_independent_images:
            missed += found
        elif found:
            report.warn(
                f"'{file_name}' loses a lot of accuracy on {images}. Your own network may never "
                "see such images, so the file is written: give images of your use case with "
                "--verify-images DIR."
            )
    if not missed:
        return quantization
    if not context.request.quantization.accept_loss:
        raise SeaformerError(
            f"'{file_name}' loses too much accuracy: {'; '.join(missed)}. Nothing was written. "
            "Find the responsible modules with --sensitivity, keep modules in floating point with "
            "--mixed-precision auto, calibrate with images more like those the model will see, or "
            "write the file anyway with --accept-loss."
        )
    return quantization.model_copy(update={"accepted_loss": True})


def _verdict(images: str, figures: Sequence[Figure], file_name: str, report: Report) -> list[str]:
    """Print the figures for a set of images; return the missed ones as one text, or nothing."""
    report.verdict(
        f"{file_name} on {images}: {', '.join(map(str, figures))}",
        all(figure.is_enough for figure in figures),
    )
    missed = [str(figure) for figure in figures if not figure.is_enough]
    return [f"on {images} {' and '.join(missed)}"] if missed else []


def _of_accuracy(accuracy: Accuracy, least: Precision, context: ExportContext) -> list[Figure]:
    figures = _figures(accuracy.sqnr_db, accuracy.argmax_agreement, least)
    allowed, lost = least.max_miou_loss, accuracy.difference_points
    if allowed is not None and lost is not None:
        name = context.request.task.score_name
        figures.append(Figure(name, f"{lost:+.2f}", f"{-allowed:g} points", lost >= -allowed))
    # Random weights have channels of any size, and their predictions are meaningless.
    if not context.source.weights.is_random and accuracy.worst_channels:
        worst = accuracy.worst_channels
        lowest_db = min_channel_db(least.min_sqnr_db, is_quantized=True)
        lost_ones = lost_channels(worst, lowest_db, _channel_names(context))
        where = f" ({lost_ones})" if lost_ones else ""
        is_enough = lost_ones is None
        reached = f"{worst[0].sqnr_db:.1f}"
        figures.append(Figure("every channel", reached, f"{lowest_db:g} dB{where}", is_enough))
    return figures


def _channel_names(context: ExportContext) -> tuple[str, ...]:
    """The class of each output channel; empty for features."""
    if context.samples[0].detection is not None:
        return (*context.labels, *OFFSETS)
    return (
        context.labels[-1:]
        if context.source.contract.meaning.content == "binary"
        else context.labels
    )


def _figures(sqnr_db: float | None, agreement: float | None, least: Precision) -> list[Figure]:
    sqnr_db = sqnr_db or 0.0
    figures = [
        Figure("SQNR", f"{sqnr_db:.1f}", f"{least.min_sqnr_db:g} dB", sqnr_db >= least.min_sqnr_db)
    ]
    if agreement is not None:
        percent, needed = 100 * agreement, 100 * least.min_agreement
        enough = percent >= needed
        figures.append(Figure("agreement with fp32", f"{percent:.2f}", f"{needed:g} %", enough))
    return figures


def require_accepted(
    parity: AcceleratorParity, name: str, context: ExportContext, report: Report
) -> None:
    """Refuse a file that fails on a requested accelerator; warn if it fails on another.

    Args:
        parity: result of the verification on the accelerator.
        name: name of the file.
        context: the export.
        report: prints the warnings.

    Raises:
        SeaformerError: the accelerator was requested, and the outputs of the file differ there, or
            it does not run there and the CPU was not requested.
    """
    request = context.request
    where = parity.name if parity.chip is None else f"{parity.name} {parity.chip}"
    advice = "Omit --accelerator to write the file anyway, with this result in its metadata."
    if parity.chip is not None:
        advice = "Try another --precision or another --soc, or omit this one."
    if (parity.status == "failed" and request.names_accelerators) or (
        parity.status not in PASSED and not request.needs_cpu_only
    ):
        raise SeaformerError(
            f"'{name}' on {where}: {parity.status}: {parity.reason}. Nothing was written for "
            f"{context.stem}. {advice}"
        )
    if parity.status in ("failed", "refused"):
        report.warn(f"'{name}' on {where}: {parity.status}: {parity.reason}.")


def unmet(request: Request, files: Iterable[Metadata]) -> bool:
    """Whether a written file fails on an accelerator, or was not verified on a requested one."""
    return any(
        parity.status == "failed" or (request.names_accelerators and parity.status not in PASSED)
        for metadata in files
        for parity in metadata.accelerators
    )
