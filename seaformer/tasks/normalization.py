"""Normalization of pixels, stated as an input range, a mean and a standard deviation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seaformer.errors import UsageError
from seaformer.tasks.task import GRAY, Preprocessing, Task

PIXELS = (0.0, 255.0)

LARGEST_OF_UNIT = 3.0
"""Smaller means and deviations are ambiguous: typical values on the scale 0..255 are about 100."""


@dataclass(frozen=True)
class Normalization:
    """(pixel - mean) / std with pixels of 0..255; one number each, or one per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def stated(
        cls,
        input_range: tuple[float, float] | None,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> "Normalization | None":
        """Combine the stated values: scale pixels to the range, subtract mean, divide by std.

        Args:
            input_range: values that 0 and 255 are first scaled to; None for 0..255.
            mean: one number or one per channel, in units of the input range; None for 0.
            std: one number or one per channel, in units of the input range, above 0; None for 1.

        Returns:
            The normalization; None if nothing is stated.

        Raises:
            UsageError: a number is out of range, or the scale is ambiguous.
        """
        if input_range is None and mean is None and std is None:
            return None
        means, stds = tuple(mean or (0.0,)), tuple(std or (1.0,))
        if input_range is None and max(*map(abs, means), *stds) <= LARGEST_OF_UNIT:
            raise UsageError(
                f"the scale of mean {_shown(means)} and std {_shown(stds)} is ambiguous. Add the "
                "input range: 0..1 if pixels are divided by 255 first, 0..255 if not."
            )
        low, high = input_range or PIXELS
        if not low < high:
            raise UsageError(
                f"the input range is {low:g}..{high:g}. Allowed: LOW..HIGH with LOW below HIGH."
            )
        if len(means) != len(stds) and 1 not in (len(means), len(stds)):
            raise UsageError(
                f"mean has {len(means)} numbers and std {len(stds)}. Allowed: one, or one per "
                "channel."
            )
        if min(stds) <= 0:
            raise UsageError(f"std is {_shown(stds)}. Allowed: numbers above 0.")
        step = 255 / (high - low)
        return cls(
            tuple(round((value - low) * step, 9) for value in means),
            tuple(round(value * step, 9) for value in stds),
        )

    def on(self, preprocessing: Preprocessing) -> Preprocessing:
        """Return a preprocessing with this normalization.

        Raises:
            UsageError: the number of channels differs, or a mean is out of range.
        """
        spread = self.of(preprocessing.channels)
        changed = replace(preprocessing, mean=spread.mean, std=spread.std)
        return Preprocessing.from_json(changed.to_json())

    def of(self, channels: int) -> "Normalization":
        """Return this normalization with one number per channel.

        Raises:
            UsageError: the number of channels differs.
        """
        return Normalization(self._spread(self.mean, channels), self._spread(self.std, channels))

    @staticmethod
    def _spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
        if len(values) not in (1, channels):
            raise UsageError(
                f"mean or std has {len(values)} numbers, but the image has {channels} "
                f"channel{'s' * (channels > 1)}. Give one number, or one per channel"
                f"{f'; color_order {GRAY} has one' if channels > 1 else ''}."
            )
        return values if len(values) == channels else values * channels


def for_channels(task: Task, channels: int) -> Task:
    """Return a task for images of this many channels: for one, a color task becomes gray."""
    rule = task.preprocessing
    if channels != 1 or rule.color_order == GRAY:
        return task
    gray = replace(rule, color_order=GRAY, mean=rule.mean[:1], std=rule.std[:1])
    return replace(task, preprocessing=gray)


def _shown(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
