"""Is a file written: a quantized one that loses, one that is not right on an accelerator?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seaformer.artifact.metadata import AcceleratorParity, Comparison, Metadata, Quantization
from seaformer.artifact.precisions import Precision
from seaformer.errors import SeaformerError
from seaformer.export.job import Job
from seaformer.export.report import Report
from seaformer.export.request import Request

PASSED = ("verified", "compiled")
"""What a file may come to on an accelerator that is asked for."""

PHOTOGRAPH = 0
"""Place of the photograph among the comparisons."""


@dataclass(frozen=True)
class _Judged:
    """What the bars are held against."""

    pictures: str
    sqnr_db: float
    agreement: float
    loss_points: float | None


def accept(
    quantization: Quantization,
    comparisons: Sequence[Comparison],
    precision: Precision,
    file_name: str,
    request: Request,
) -> Quantization:
    """Return the record of the file, which says if a loss was accepted.

    A file that was calibrated with noise is not held against the bars: it is for latency only.

    Args:
        quantization: the record so far.
        comparisons: of the file with PyTorch.
        precision: of the file.
        file_name: for the message.
        request: the task, and whether a loss is accepted.

    Raises:
        SeaformerError: the file misses a bar, and the loss is not accepted.
    """
    judged = _judged(quantization, comparisons)
    misses = _misses(judged, precision, request.task.score_name)
    if quantization.is_random or not misses:
        return quantization
    if not request.quantization.accept_loss:
        raise SeaformerError(
            f"'{file_name}' loses too much: on {judged.pictures} {' and '.join(misses)}. Nothing "
            "was written. See where it is lost with --sensitivity, keep modules in floating point "
            "with --mixed-precision auto, calibrate with pictures more like those the model will "
            "see, or write it all the same with --accept-loss."
        )
    return quantization.model_copy(update={"accepted_loss": True})


def _judged(quantization: Quantization, comparisons: Sequence[Comparison]) -> _Judged:
    accuracy = quantization.accuracy
    if accuracy is None:
        row = comparisons[PHOTOGRAPH]
        return _Judged(f"the {row.input}", row.sqnr_db or 0.0, row.argmax_agreement or 0.0, None)
    loss = None if accuracy.difference_points is None else -accuracy.difference_points
    return _Judged(accuracy.pictures, accuracy.sqnr_db, accuracy.argmax_agreement, loss)


def _misses(judged: _Judged, precision: Precision, score_name: str) -> list[str]:
    missed = []
    if judged.sqnr_db < precision.min_sqnr_db:
        missed.append(f"the SQNR is {judged.sqnr_db:.1f} dB (at least {precision.min_sqnr_db:g})")
    if judged.agreement < precision.min_agreement:
        missed.append(
            f"the arg-max agrees with fp32 at {100 * judged.agreement:.2f} % of the positions "
            f"(at least {100 * precision.min_agreement:g} %)"
        )
    allowed = precision.max_miou_loss
    if allowed is not None and judged.loss_points is not None and judged.loss_points > allowed:
        missed.append(
            f"{judged.loss_points:.2f} points of {score_name} are lost (at most {allowed:g})"
        )
    return missed


def require_accepted(parity: AcceleratorParity, name: str, job: Job, report: Report) -> None:
    """Go on with a file that is not right on an accelerator only if that was not asked for.

    Args:
        parity: what came of it there.
        name: of the file.
        job: what was asked for.
        report: warned of a file that is written all the same.

    Raises:
        SeaformerError: the accelerator was asked for by name, and the file computes something else
            there, or does not run there and the CPU was not asked for.
    """
    request = job.request
    where = parity.name if parity.chip is None else f"{parity.name} {parity.chip}"
    advice = "Leave --accelerator out for a file that says so."
    if parity.chip is not None:
        advice = "Try another --precision or another --soc, or leave this one out."
    if (parity.status == "failed" and request.names_accelerators) or (
        parity.status not in PASSED and not request.needs_cpu_only
    ):
        raise SeaformerError(
            f"'{name}' is {parity.status} on {where}: {parity.reason}. Nothing was written for "
            f"{job.stem}. {advice}"
        )
    if parity.status in ("failed", "refused"):
        report.warn(f"{where}: '{name}' is {parity.status}: {parity.reason}.")


def unmet(request: Request, files: Iterable[Metadata]) -> bool:
    """Whether a file was written that is wrong on an accelerator, or not verified as asked."""
    return any(
        parity.status == "failed" or (request.names_accelerators and parity.status not in PASSED)
        for metadata in files
        for parity in metadata.accelerators
    )
