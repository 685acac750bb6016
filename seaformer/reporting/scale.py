"""Axes: from values to places, which are per cent of a plot's width or height.

Plots are drawn in per cent and stretched to the page, so that they fit a phone and a sheet of
paper; text and the thickness of lines are not stretched with them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)

_ROUNDING = 1e-9
"""Share of an axis, or of a step of it, that a value may miss a round one by."""


@dataclass(frozen=True)
class Scale:
    """A linear axis.

    Attributes:
        low: value at 0 %.
        high: value at 100 %.
        ticks: round values from low to high.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Iterable[float], ticks: int = 5, least: float = 0.0) -> "Scale":
        """Make the axis that shows all the values, from one round value to another.

        Args:
            values: one or more.
            ticks: about how many round values.
            least: how long the axis is at least.
        """
        listed = list(values)
        low, high = min(listed), max(listed)
        length = max(high - low, least, _ROUNDING * max(abs(low), abs(high), 1.0))
        middle = (low + high) / 2
        low, high = min(low, middle - length / 2), max(high, middle + length / 2)
        step = _round_step(length / ticks)
        first, last = math.floor(low / step + _ROUNDING), math.ceil(high / step - _ROUNDING)
        marks = tuple(round(place * step, 12) for place in range(first, last + 1))
        return cls(marks[0], marks[-1], marks)

    def at(self, value: float) -> float:
        """The place of a value, in per cent; what lies outside is put on the nearer end."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def below(self, value: float) -> float:
        """The place of a value on a vertical axis, in per cent from the top."""
        return round(100 - self.at(value), 2)

    def holds(self, value: float) -> bool:
        """Whether a value is on the axis, or beyond it by no more than rounding."""
        margin = _ROUNDING * (self.high - self.low)
        return self.low - margin <= value <= self.high + margin


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in _STEPS if power * step >= least * (1 - 1e-9))


def dots(places: Iterable[tuple[float, float]]) -> str:
    """An SVG path of a dot at each place: lines without length, whose caps are round."""
    return "".join(f"M{x:g} {y:g}h0" for x, y in places)


def line(places: Iterable[tuple[float, float]]) -> str:
    """An SVG path through all places, in order."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
