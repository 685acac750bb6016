"""Bisection over the length of truncated models, some of which may not run."""

from collections.abc import Callable
from dataclasses import dataclass

MAX_UNJUDGED = 6
"""Number of inconclusive lengths after which the search returns a range."""


@dataclass(frozen=True)
class Narrowed:
    """The range that contains the first faulty operator.

    Attributes:
        right: length of the longest correct model; 0 if none was correct.
        wrong: length of the shortest wrong model; `right` + 1 unless lengths between them are
            inconclusive.
    """

    right: int
    wrong: int


def narrow(count: int, is_right: Callable[[int], bool | None]) -> Narrowed:
    """Find the shortest truncated model that is wrong.

    Args:
        count: number of operators of the whole file, whose result is wrong.
        is_right: whether a model of 1 to count - 1 operators is correct; None if inconclusive.
    """
    right, wrong = 0, count
    unjudged: set[int] = set()
    while open_ := [n for n in range(right + 1, wrong) if n not in unjudged]:
        middle = min(open_, key=lambda n: abs(2 * n - right - wrong))
        judged = is_right(middle)
        if judged is None:
            unjudged.add(middle)
            if len(unjudged) == MAX_UNJUDGED:
                break
        elif judged:
            right = middle
        else:
            wrong = middle
    return Narrowed(right, wrong)
