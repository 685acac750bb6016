"""Parity check of a converted file on the host's CPU against PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.artifact.metadata import Comparison
from seaformer.artifact.precisions import Precision
from seaformer.errors import SeaformerError
from seaformer.export.export_context import ExportContext
from seaformer.export.verify.channel_errors import ChannelErrors, lost_channels
from seaformer.export.verify.thresholds import LOWEST_DB, passes, threshold_for
from seaformer.export.verify.verification import compare, lowest_channel_db, reached
from seaformer.models.inputs import input_shape
from seaformer.runtimes import open_model


def check(
    context: ExportContext, data: bytes, path: Path, precision: Precision
) -> list[Comparison]:
    """Run a floating-point file on every sample and compare it with PyTorch.

    Raises:
        SeaformerError: the whole output, or one channel of it, misses the threshold of the
            precision.
    """
    comparisons, channels = run_samples(context, data, path)
    if not passes(comparisons, precision):
        raise SeaformerError(_failure(comparisons, precision, path.name, context))
    lowest_db = lowest_channel_db(comparisons, context.samples, precision)
    if lost := lost_channels(channels.worst(), lowest_db):
        raise SeaformerError(
            f"'{path.name}' does not match PyTorch: {lost}, where each needs {lowest_db:.4g} dB. "
            f"Nothing was written for {context.stem}."
        )
    return comparisons


def run_samples(
    context: ExportContext, data: bytes, path: Path
) -> tuple[list[Comparison], ChannelErrors]:
    """Write a model to `path` and run it on every sample."""
    path.write_bytes(data)
    errors = ChannelErrors()
    channels = input_shape(context.source.model, context.size)[1]
    with open_model(path, channels=channels, isolated=False) as session:
        return [compare(session, sample, errors) for sample in context.samples], errors


def _failure(
    comparisons: Sequence[Comparison], precision: Precision, name: str, context: ExportContext
) -> str:
    failed = [row for row in comparisons if not passes([row], precision)]
    worst = min(failed, key=lambda row: (row.sqnr_db or 0.0, row.argmax_agreement or 0.0))
    own = worst.pytorch_float32_sqnr_db
    hint = "Report the model and the size."
    if own is not None and own < LOWEST_DB:
        hint = (
            f"PyTorch in float32 reaches only {own:.1f} dB there: these weights amplify rounding "
            "so much that the network cannot be computed in single precision. Check the weights."
        )
    elif precision.name != "fp32":
        hint = "Try --precision fp32."
    return (
        f"'{name}' does not match PyTorch: on the input '{worst.input}', it reaches "
        f"{reached([worst])}. {precision.name} needs {threshold_for(worst, precision)}. "
        f"Nothing was written for {context.stem}. {hint}"
    )
