"""Columns of a table that say how accurate files are: each holds figures of one set of images.

Scores of different images differ by more than precisions do, so a file that was measured on others
has its figures in a note below the table, beside the one that they are to be compared with.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from seaformer.benchmark.results.schema import Accuracy, ModelResult, Results
from seaformer.reporting.numbers import NONE, points_within

OTHER_IMAGES = "other images"
UNKNOWN = "unknown"


class AgreementBasis(NamedTuple):
    """What a file was compared with, and on which images, in words."""

    reference: str
    inputs: str


class ScoreBasis(NamedTuple):
    """The images that a file was scored on, in words, and the mIoU of fp32 there, in percent.

    The mIoU tells different images of equal words apart.
    """

    inputs: str
    reference_score: str


Basis = TypeVar("Basis", AgreementBasis, ScoreBasis)


def score(results: Results, model: ModelResult) -> str:
    """The mIoU in percent; of the fp32 file as the others say it, if it does not say it itself."""
    common = _common(results, _score_basis)
    accuracy = model.facts.accuracy
    if accuracy is None or accuracy.score is None:
        is_reference = model.precision == "fp32" and common is not None
        return common.reference_score if common is not None and is_reference else UNKNOWN
    return f"{accuracy.score:.2f}" if _score_basis(accuracy) == common else OTHER_IMAGES


def difference(results: Results, model: ModelResult) -> str:
    """The mIoU against that of fp32 on the same images, in points, with its interval."""
    accuracy = model.facts.accuracy
    if accuracy is None or accuracy.difference_points is None:
        return NONE
    is_common = _score_basis(accuracy) == _common(results, _score_basis)
    return _change(accuracy) if is_common else OTHER_IMAGES


def agreement(results: Results, model: ModelResult) -> str:
    """The share of positions with the class of the reference, in percent."""
    accuracy = model.facts.accuracy
    if accuracy is None:
        return NONE
    is_common = _agreement_basis(accuracy) == _common(results, _agreement_basis)
    return f"{100 * accuracy.agreement:.2f}" if is_common else OTHER_IMAGES


def score_notes(results: Results) -> Iterator[str]:
    """Yield what the column of scores was measured on, and the scores on other images."""
    common = _common(results, _score_basis)
    if common is None:
        yield "mIoU: the files were not measured on images with a truth."
        return
    yield f"mIoU: on {common.inputs}."
    for precision, accuracy in _accuracies(results):
        basis = _score_basis(accuracy)
        if basis not in (None, common):
            yield (
                f"{precision} has {accuracy.score:.2f} % mIoU on {accuracy.score_inputs}, where "
                f"fp32 has {accuracy.reference_score:.2f} %: {_change(accuracy)} points."
            )


def agreement_notes(results: Results) -> Iterator[str]:
    """Yield what the column of agreements was measured on, and the agreements on other images."""
    common = _common(results, _agreement_basis)
    if common is None:
        return
    yield (
        f"agrees: share of positions with the same class as {common.reference}, on a computer and "
        f"not on the device, on {common.inputs}."
    )
    for precision, accuracy in _accuracies(results):
        if _agreement_basis(accuracy) != common:
            yield (
                f"{precision} agrees with {accuracy.reference} at {100 * accuracy.agreement:.2f} % "
                f"of the positions, on {accuracy.inputs}."
            )


def _score_basis(accuracy: Accuracy) -> ScoreBasis | None:
    if None in (accuracy.score, accuracy.score_inputs, accuracy.reference_score):
        return None
    return ScoreBasis(str(accuracy.score_inputs), f"{accuracy.reference_score:.2f}")


def _agreement_basis(accuracy: Accuracy) -> AgreementBasis:
    return AgreementBasis(accuracy.reference, accuracy.inputs)


def _common(results: Results, basis: Callable[[Accuracy], Basis | None]) -> Basis | None:
    """Return what most files were measured on; of several the first; None without any."""
    bases = Counter(
        found for _, accuracy in _accuracies(results) if (found := basis(accuracy)) is not None
    )
    return max(bases, key=bases.__getitem__, default=None)


def _accuracies(results: Results) -> Iterator[tuple[str, Accuracy]]:
    """Yield the precision of each file of which something is known, and that."""
    for model in results.models:
        if model.facts.accuracy is not None:
            yield model.precision, model.facts.accuracy


def _change(accuracy: Accuracy) -> str:
    return points_within(accuracy.difference_points, accuracy.low_points, accuracy.high_points)
