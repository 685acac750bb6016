"""Bisection over the length of truncated models, of which some may not run."""

from collections.abc import Callable
from dataclasses import dataclass

MAX_UNJUDGED = 6
"""Lengths that cannot be judged before the search is content with a range."""


@dataclass(frozen=True)
class Narrowed:
    """Where it goes wrong.

    Attributes:
        right: the most operators from the first with which it was right; 0 if with none.
        wrong: the fewest with which it was wrong; one more than `right` unless lengths between
            them cannot be judged.
    """

    right: int
    wrong: int


def narrow(count: int, is_right: Callable[[int], bool | None]) -> Narrowed:
    """Find the shortest truncated model that is wrong.

    Args:
        count: operators of the whole, which is wrong.
        is_right: says it of a number of operators, 1 to count - 1; None if it cannot be judged.
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
