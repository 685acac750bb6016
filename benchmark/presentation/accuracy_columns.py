"""Accuracy columns of a table: each has figures for one set of images.

Scores differ more between image sets than between precisions, so the figures of a file that was
evaluated on other images are in a note below the table, next to the figure to compare them with.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from seaformer.benchmark.results.schema import Accuracy, ModelResult, Results
from seaformer.reporting.numbers import NONE, points_within

OTHER_IMAGES = "other images"
UNKNOWN = "unknown"


class AgreementBasis(NamedTuple):
    """Reference and images of a comparison, as text."""

    reference: str
    inputs: str


class ScoreBasis(NamedTuple):
    """The images that a file was scored on, as text, and the mIoU of fp32 on them, in percent.

    The mIoU distinguishes different image sets with the same description.
    """

    inputs: str
    reference_score: str


Basis = TypeVar("Basis", AgreementBasis, ScoreBasis)


def score(results: Results, model: ModelResult) -> str:
    """The mIoU in percent; for an fp32 file without a score, its score in other files."""
    common = _common(results, _score_basis)
    accuracy = model.facts.accuracy
    if accuracy is None or accuracy.score is None:
        is_reference = model.precision == "fp32" and common is not None
        return common.reference_score if common is not None and is_reference else UNKNOWN
    return f"{accuracy.score:.2f}" if _score_basis(accuracy) == common else OTHER_IMAGES


def difference(results: Results, model: ModelResult) -> str:
    """Format the difference in mIoU from fp32 on the same images, in points, with its interval."""
    accuracy = model.facts.accuracy
    if accuracy is None or accuracy.difference_points is None:
        return NONE
    is_common = _score_basis(accuracy) == _common(results, _score_basis)
    return _change(accuracy) if is_common else OTHER_IMAGES


def agreement(results: Results, model: ModelResult) -> str:
    """The share of positions with the same class as the reference, in percent."""
    accuracy = model.facts.accuracy
    if accuracy is None:
        return NONE
    is_common = _agreement_basis(accuracy) == _common(results, _agreement_basis)
    return f"{100 * accuracy.agreement:.2f}" if is_common else OTHER_IMAGES


def score_notes(results: Results) -> Iterator[str]:
    """Yield the images of the score column, and the scores on other images."""
    common = _common(results, _score_basis)
    if common is None:
        yield "mIoU: the files were not evaluated on images with ground truth."
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
    """Yield reference and images of the agreement column, and the agreements on other images."""
    common = _common(results, _agreement_basis)
    if common is None:
        return
    yield (
        f"agrees: share of positions with the same class as {common.reference}, on "
        f"{common.inputs}, evaluated on a host, not on the device."
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
    """Return the most frequent basis, the first of several; None if no file has one."""
    bases = Counter(
        found for _, accuracy in _accuracies(results) if (found := basis(accuracy)) is not None
    )
    return max(bases, key=bases.__getitem__, default=None)


def _accuracies(results: Results) -> Iterator[tuple[str, Accuracy]]:
    """Yield precision and accuracy of each file with a known accuracy."""
    for model in results.models:
        if model.facts.accuracy is not None:
            yield model.precision, model.facts.accuracy


def _change(accuracy: Accuracy) -> str:
    return points_within(accuracy.difference_points, accuracy.low_points, accuracy.high_points)
