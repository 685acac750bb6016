"""Whether a device computes what this computer computes, before any of its times is believed.

The reference is this computer's own runtime on the same file and the same input. The bars tell the
right computation from a wrong one (a damaged file, a delegate's fault, an overheated core): how
much a precision costs was measured when the model was exported. Between two processors a float
model differs by the order of its sums, which was seen to leave 90 dB and more; a quantised one also
by how halves are rounded, layer after layer. A network with random weights has many positions that
are nearly undecided, so the agreement may be lower than trained ones have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.evaluation.metrics import sqnr_db


@dataclass(frozen=True)
class Bars:
    """What an output has to reach.

    Attributes:
        sqnr_db: signal to noise, in dB.
        agreement: share of positions with the same class, 0..1.
    """

    sqnr_db: float
    agreement: float


UNKNOWN = Bars(20.0, 0.90)
"""For models that do not say their precision."""

BARS: Mapping[str, Bars] = MappingProxyType(
    {
        "fp32": Bars(60.0, 0.99),
        "fp16": Bars(30.0, 0.98),  # runtimes may compute in float16 where the processor can
        "int16x8": Bars(30.0, 0.98),
        "int8": Bars(20.0, 0.90),
        "dynamic-int8": Bars(20.0, 0.90),
    }
)


@dataclass(frozen=True)
class Parity:
    """A device's output against the reference.

    Attributes:
        reference: what computed the reference.
        sqnr_db: 10 log10(sum r^2 / sum (r - o)^2); None for class ids.
        max_abs_error: largest difference; None for class ids.
        agreement: share of positions with the same class, 0..1; None if the output has no classes.
        min_sqnr_db: the bar.
        min_agreement: the bar.
        passed: whether the output is finite and reaches both.
    """

    reference: str
    sqnr_db: float | None
    max_abs_error: float | None
    agreement: float | None
    min_sqnr_db: float
    min_agreement: float
    passed: bool


def compare(
    outputs: Sequence[npt.NDArray[Any]],
    expected: Sequence[npt.NDArray[Any]],
    precision: str,
    class_axis: int | None,
    are_class_ids: bool,
    reference: str,
) -> Parity:
    """Compare the outputs of a device with the reference.

    Args:
        outputs: of the device, real numbers or class ids.
        expected: of the reference, of the same shapes.
        precision: of the model, as its metadata says.
        class_axis: axis of the classes in the first output; None if it has none.
        are_class_ids: whether the outputs are classes and not numbers.
        reference: what computed it, in words.
    """
    bars = BARS.get(precision, UNKNOWN)
    output, truth = outputs[0], expected[0]
    sqnr = error = agreement = None
    if are_class_ids:
        agreement = float(np.mean(output == truth))
    else:
        flat, flat_truth = _flat(outputs), _flat(expected)
        is_finite = bool(np.isfinite(flat).all())
        sqnr = sqnr_db(flat_truth, flat) if is_finite else -300.0
        error = float(np.abs(flat - flat_truth).max()) if is_finite else None
        if class_axis is not None and is_finite:
            agreement = float(np.mean(output.argmax(class_axis) == truth.argmax(class_axis)))
    return Parity(
        reference=reference,
        sqnr_db=sqnr,
        max_abs_error=error,
        agreement=agreement,
        min_sqnr_db=bars.sqnr_db,
        min_agreement=bars.agreement,
        passed=(sqnr is None or sqnr >= bars.sqnr_db)
        and (agreement is None or agreement >= bars.agreement),
    )


def _flat(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # Of what is not a number.
        return np.concatenate([one.astype(np.float64).ravel() for one in arrays])
