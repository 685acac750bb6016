"""Statistics of the activations on the calibration images, and the ranges chosen from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError
from seaformer.quantization.methods import METHODS

BINS = 2048
_LEVELS = 255
"""Number of intervals between the integers of eight bits."""


@dataclass
class Activation:
    """Statistics of one tensor: its smallest and largest value in each image, and a histogram.

    The histogram has `BINS` equal bins from `start` to `start + BINS * width`.
    """

    lows: list[float]
    highs: list[float]
    histogram: npt.NDArray[np.int64]
    start: float
    width: float

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> "Activation":
        """Start with the values of one image."""
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        width = max(high - low, 1e-12) / BINS
        activation = cls([], [], np.zeros(BINS, np.int64), low, width)
        activation.add(values)
        return activation

    def add(self, values: npt.NDArray[np.floating]) -> None:
        """Count the values of another image."""
        low, high = float(values.min()), float(values.max())
        self.lows.append(low)
        self.highs.append(high)
        self._cover(low, high)
        places = ((values.ravel() - self.start) / self.width).astype(np.int64)
        self.histogram += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)

    def centers(self) -> npt.NDArray[np.float64]:
        """Center of each bin."""
        return np.asarray(self.start + (np.arange(BINS) + 0.5) * self.width, dtype=np.float64)

    def percentile(self, share: float) -> tuple[float, float]:
        """The range of a `share`, 0..1, of the values; equally many are excluded at each end."""
        below = np.cumsum(self.histogram) / self.histogram.sum()
        excluded = (1 - share) / 2
        edges = self.start + np.arange(BINS + 1) * self.width
        low = edges[int(np.searchsorted(below, excluded))]
        high = edges[min(int(np.searchsorted(below, 1 - excluded)) + 1, BINS)]
        return max(float(low), min(self.lows)), min(float(high), max(self.highs))

    def least_squares(self) -> tuple[float, float]:
        """The proportionally shrunk range with the least squared rounding and saturation error."""
        low, high = min(*self.lows, 0.0), max(*self.highs, 0.0)
        values, counts = self.centers(), self.histogram
        best, best_error = (low, high), np.inf
        for share in np.linspace(1.0, 0.3, 71):
            start, end = low * float(share), high * float(share)
            step = max(end - start, 1e-12) / _LEVELS
            clipped = np.clip(values, start, end)
            rounded = np.round((clipped - start) / step) * step + start
            error = float((counts * np.square(values - rounded)).sum())
            if error < best_error:
                best, best_error = (start, end), error
        return best

    def _cover(self, low: float, high: float) -> None:
        """Double the width of the bins until they cover the range; all counts are preserved."""
        while low < self.start:
            self._merge_pairs(into=BINS // 2)
            self.start -= BINS * self.width / 2
        while high > self.start + BINS * self.width:
            self._merge_pairs(into=0)

    def _merge_pairs(self, into: int) -> None:
        pairs = self.histogram.reshape(-1, 2).sum(axis=1)
        self.histogram = np.zeros(BINS, np.int64)
        self.histogram[into : into + BINS // 2] = pairs
        self.width *= 2


def collect(activations: Iterable[Mapping[str, npt.NDArray[np.floating]]]) -> dict[str, Activation]:
    """Collect the statistics of tensors over the images, by tensor name.

    Raises:
        SeaformerError: a value is not finite.
    """
    seen: dict[str, Activation] = {}
    for tensors in activations:
        for name, values in tensors.items():
            if not np.isfinite(values).all():
                raise SeaformerError(
                    f"the model computes values that are not finite at '{name}', so no range can "
                    "be chosen. Check the weights."
                )
            if name in seen:
                seen[name].add(values)
            else:
                seen[name] = Activation.of(values)
    return seen


def choose(seen: Mapping[str, Activation], method: str) -> dict[str, tuple[float, float]]:
    """Choose a range for every tensor with a method of `METHODS`.

    Every range includes zero, as integer kernels require.
    """
    ranges = {name: METHODS[method].choose(activation) for name, activation in seen.items()}
    return {name: (min(low, 0.0), max(high, 0.0)) for name, (low, high) in ranges.items()}
