"""Parity of a file on accelerators other than the CPU.

The file is compared with PyTorch on the inputs of the CPU's verification and has to reach the same
thresholds. For a quantized file, the images that decide on the CPU would take too long on a
software driver; instead, its error against PyTorch may be slightly larger than on the CPU.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seaformer.artifact.accelerators import Accelerator
from seaformer.artifact.metadata import AcceleratorParity, Comparison
from seaformer.artifact.precisions import HALF_MIN_AGREEMENT, Precision, format_of
from seaformer.errors import SeaformerError
from seaformer.export.verify.half_arithmetic import EMULATED
from seaformer.export.verify.thresholds import passes
from seaformer.export.verify.verification import Sample, compare, reached
from seaformer.runtimes import find_runtime, open_model
from seaformer.runtimes.child_process import TimeLimitError

SAME_DB, SAME_AGREEMENT = 1.0, 0.005
"""Allowed difference between the integer kernels of two processors, which round halves
differently."""

TWICE_THE_NOISE_DB = 3.0
"""How much lower the SQNR of a quantized file may be than on the CPU: rounding every result
differently at most doubles the noise of quantization."""

OTHER_CLASSES = 0.1
"""Allowed additional positions with another class, as a share of those on the CPU: where the
quantization error is large, as with random weights, rounding decides many positions."""

HALF_MARGIN_DB, HALF_OTHER_CLASSES = 3.0, 1.5
"""A file in half precision may have twice the noise power of its emulation, and therefore 1.5 times
as many positions with another class."""

LOWEST_HALF_DB = 20.0
"""If the emulation is below this, the network cannot be computed in half precision."""


def verify_on(
    accelerator: Accelerator,
    path: Path,
    precision: Precision,
    samples: Sequence[Sample],
    on_cpu: Sequence[Comparison],
    channels: int,
) -> AcceleratorParity:
    """Run a file on an accelerator, in a separate process, and compare it with PyTorch.

    Args:
        accelerator: not the CPU.
        path: path of the file.
        precision: precision of the file.
        samples: inputs with the reference outputs of the training form.
        on_cpu: comparisons of the same file on the CPU; the first ones belong to `samples`.
        channels: number of channels of the input.
    """
    parity = AcceleratorParity(
        name=accelerator.name, status="verified", reason=None, runtime=None, comparisons=()
    )
    refusal = accelerator.refusal(format_of(path.name).name, precision.name)
    if refusal is not None:
        return parity.model_copy(update={"status": "refused", "reason": refusal})
    try:
        find_runtime(path, accelerator.name).require()
    except SeaformerError:
        needed = f"it needs {accelerator.needs}"
        return parity.model_copy(update={"status": "not verified", "reason": needed})
    precision = accelerator.thresholds(precision)
    try:
        with open_model(path, channels=channels, accelerator=accelerator.name) as session:
            found = tuple(compare(session, sample) for sample in samples)
            parity = parity.model_copy(
                update={"runtime": session.session.runtime, "comparisons": found}
            )
    except SeaformerError as error:
        # The reason is stored in the metadata, which must not contain a temporary path.
        reason = str(error).replace(f"'{path}'", "the file").replace(str(path), "FILE").rstrip(".")
        status = "not verified" if isinstance(error, TimeLimitError) else "refused"
        return parity.model_copy(update={"status": status, "reason": reason})
    if all(is_as_good(*pair, precision) for pair in zip(found, on_cpu, strict=False)):
        return parity
    return parity.model_copy(update={"status": "failed", "reason": _worst(found, precision)})


def as_in_half(
    parity: AcceleratorParity, emulated: Sequence[Comparison] | None
) -> AcceleratorParity:
    """Judge a failed floating-point file again, for an accelerator that has only half precision.

    Weights can amplify rounding so much that half precision itself misses the usual thresholds. A
    file that is as accurate as its emulation, minus a margin, is computed correctly.

    Args:
        parity: the result on the accelerator, "failed".
        emulated: comparisons of the network in emulated half precision on the same inputs; None if
            it overflows.

    Returns:
        The result with the emulation, and "verified" if the file is as accurate.
    """
    if emulated is None:
        return parity.model_copy(update={"half_runtime": f"{EMULATED}; it overflows"})
    update: dict[str, Any] = {"half_runtime": EMULATED, "half_comparisons": tuple(emulated)}
    if all(_is_as_in_half(*pair) for pair in zip(parity.comparisons, emulated, strict=True)):
        update |= {"status": "verified", "reason": None}
    return parity.model_copy(update=update)


def _is_as_in_half(found: Comparison, emulated: Comparison) -> bool:
    needed_db = max((emulated.sqnr_db or 0.0) - HALF_MARGIN_DB, LOWEST_HALF_DB)
    most = max(1 - HALF_MIN_AGREEMENT, HALF_OTHER_CLASSES * (1 - (emulated.argmax_agreement or 0)))
    return (found.sqnr_db is None or found.sqnr_db >= needed_db) and (
        found.argmax_agreement is None or 1 - found.argmax_agreement <= most
    )


def run_in_half(path: Path, samples: Sequence[Sample]) -> tuple[str, tuple[Comparison, ...]]:
    """Run a file in half precision on the GPU, and compare with PyTorch.

    Returns:
        The runtime, and a comparison for each sample; none if a result is not finite or the
        accelerator fails.
    """
    channels = samples[0].input.shape[1]
    try:
        with open_model(path, channels=channels, accelerator="gpu-half") as session:
            found = tuple(compare(session, sample) for sample in samples)
            return f"{session.session.runtime}, half precision", found
    except (SeaformerError, ValidationError):  # a Comparison must be finite
        return "", ()


def in_words(parity: AcceleratorParity) -> str:
    """The parity reached, or the reason for a failure."""
    found = reached(parity.comparisons)
    return found if parity.status == "verified" else f"{parity.status}: {found or parity.reason}"


def _worst(found: Sequence[Comparison], precision: Precision) -> str:
    return (
        f"its outputs differ from PyTorch: {reached(found)}; {precision.name} needs "
        f"{precision.min_sqnr_db:g} dB and {100 * precision.min_agreement:g} %"
    )


def is_as_good(found: Comparison, on_cpu: Comparison, precision: Precision) -> bool:
    """Whether a comparison reaches the thresholds, or for a quantized file nearly the CPU's."""
    if passes([found], precision):
        return True
    if not precision.is_quantized:
        return False
    lost_on_cpu = 1 - (on_cpu.argmax_agreement or 0.0)
    max_lost = max(1 - precision.min_agreement, OTHER_CLASSES * lost_on_cpu)
    return not differs(found, on_cpu, TWICE_THE_NOISE_DB, max_lost)


def differs(
    found: Comparison,
    before: Comparison,
    max_lost_db: float = SAME_DB,
    max_lost: float = SAME_AGREEMENT,
) -> bool:
    """Whether a result is worse than an earlier one by more than rounding explains.

    `max_lost_db` is the allowed decrease in SQNR, `max_lost` the allowed decrease in agreement,
    0..1.
    """
    lost_db = (before.sqnr_db or 0.0) - (found.sqnr_db or 0.0)
    lost = (before.argmax_agreement or 0.0) - (found.argmax_agreement or 0.0)
    return lost_db > max_lost_db or lost > max_lost
