"""Axes: from values to positions, in percent of the width or height of a plot.

Plots are drawn in percent and scaled to the page, so that they fit both a phone and a sheet of
paper; text and line widths are not scaled.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_DECADE = (1, 2, 5)
_MARGIN = 0.04
"""Margin of a logarithmic axis beyond the outermost values, as a share of their range."""

_ROUNDING = 1e-9
"""Tolerance for rounding errors, as a share of an axis or of one of its steps."""


@dataclass(frozen=True)
class Scale:
    """A linear axis, or a logarithmic axis, on which equal distances are equal factors.

    Attributes:
        low: value at 0 %; above 0 if logarithmic.
        high: value at 100 %.
        ticks: round values from low to high.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    is_logarithmic: bool = False

    @classmethod
    def over(cls, values: Iterable[float], ticks: int = 5, least: float = 0.0) -> "Scale":
        """Create a linear axis for one or more values, which starts and ends at round values.

        It has approximately `ticks` ticks, and at least the length `least`.
        """
        listed = list(values)
        low, high = min(listed), max(listed)
        length = max(high - low, least, _ROUNDING * max(abs(low), abs(high), 1.0))
        middle = (low + high) / 2
        low, high = min(low, middle - length / 2), max(high, middle + length / 2)
        power = 10.0 ** math.floor(math.log10(length / ticks))
        shortest = length / ticks * (1 - _ROUNDING)
        step = next(power * step for step in _STEPS if power * step >= shortest)
        first, last = math.floor(low / step + _ROUNDING), math.ceil(high / step - _ROUNDING)
        marks = tuple(round(place * step, 12) for place in range(first, last + 1))
        return cls(marks[0], marks[-1], marks)

    @classmethod
    def logarithmic(cls, values: Iterable[float], ticks: Sequence[float] | None = None) -> "Scale":
        """Create a logarithmic axis for one or more values above 0.

        Unless `ticks` are given, they are 1, 2 and 5 times every power of ten, or only 1 times if
        there are many.
        """
        listed = [*values, *(ticks or ())]
        low, high = math.log10(min(listed)), math.log10(max(listed))
        margin = max(_MARGIN * (high - low), 0.02)
        low, high = low - margin, high + margin
        if ticks is None:
            steps = _DECADE if high - low < 3 else (1,)
            powers = range(math.floor(low), math.ceil(high) + 1)
            marks = [step * 10.0**power for power in powers for step in steps]
            ticks = [mark for mark in marks if low <= math.log10(mark) <= high]
        return cls(10**low, 10**high, tuple(ticks), is_logarithmic=True)

    def at(self, value: float) -> float:
        """Return the position of a value in percent; values outside are clipped to the axis."""
        if self.is_logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def below(self, value: float) -> float:
        """Return the position of a value on a vertical axis, in percent from the top."""
        return round(100 - self.at(value), 2)

    def holds(self, value: float) -> bool:
        """Whether a value is on a linear axis, apart from rounding errors."""
        margin = _ROUNDING * (self.high - self.low)
        return self.low - margin <= value <= self.high + margin
