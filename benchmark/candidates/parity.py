"""Whether a device computes what this computer computes, before any of its times is believed.

The reference is this computer's own runtime on the same file and the same input. The thresholds, in
the table of precisions, tell the right computation from a wrong one (a damaged file, a delegate's
fault, an overheated core): how much a precision costs was measured when the model was exported.
Between two processors a float model differs by the order of its sums, which was seen to leave 90 dB
and more; a quantised one also by how halves are rounded, layer after layer. A network with random
weights has many positions that are nearly undecided, so the agreement may be lower than trained
ones have.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.results.schema import Parity
from seaformer.evaluation.metrics import sqnr_db

UNKNOWN_MIN_SQNR_DB, UNKNOWN_MIN_AGREEMENT = 20.0, 0.90
"""For models that do not say their precision."""


def compare(
    outputs: Sequence[npt.NDArray[Any]],
    expected: Sequence[npt.NDArray[Any]],
    precision: str,
    class_axis: int | None,
    are_class_ids: bool,
    reference: str,
) -> Parity:
    """Compare the outputs of a device with those expected, real numbers or class ids.

    Args:
        outputs: of the device.
        expected: of the reference, of the same shapes.
        precision: of the model, as its metadata says.
        class_axis: axis of the classes in the first output; None if it has none.
        are_class_ids: whether the outputs are classes and not numbers.
        reference: what computed it, in words.
    """
    known = PRECISIONS.get(precision)
    min_sqnr_db = known.device_min_sqnr_db if known else UNKNOWN_MIN_SQNR_DB
    min_agreement = known.device_min_agreement if known else UNKNOWN_MIN_AGREEMENT
    sqnr = error = agreement = None
    if are_class_ids:
        agreement = float(np.mean(outputs[0] == expected[0]))
    else:
        flat, flat_expected = _flat(outputs), _flat(expected)
        is_finite = bool(np.isfinite(flat).all())
        sqnr = sqnr_db(flat_expected, flat) if is_finite else -300.0
        error = float(np.abs(flat - flat_expected).max()) if is_finite else None
        if class_axis is not None and is_finite:
            classes, expected_classes = (one[0].argmax(class_axis) for one in (outputs, expected))
            agreement = float(np.mean(classes == expected_classes))
    return Parity(
        reference=reference,
        sqnr_db=sqnr,
        max_abs_error=error,
        agreement=agreement,
        min_sqnr_db=min_sqnr_db,
        min_agreement=min_agreement,
        passed=(sqnr is None or sqnr >= min_sqnr_db)
        and (agreement is None or agreement >= min_agreement),
    )


def _flat(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # Of what is not a number.
        return np.concatenate([one.astype(np.float64).ravel() for one in arrays])
