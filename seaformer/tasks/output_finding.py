"""Detecting the meaning of an output from its dtype, shape and values, if it is not stated."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from seaformer.errors import SeaformerError, UsageError
from seaformer.tasks.output_meaning import OutputMeaning, binary
from seaformer.tasks.statement import MEANINGS
from seaformer.tasks.task import Preprocessing

BLOCK = 16
"""Side length in pixels of the blocks of coarse noise."""

_SUMS_TO_ONE = 1e-3


def probe_inputs(rule: Preprocessing, size: tuple[int, int]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield inputs [height, width, channels] that show the range of an output: noise and white.

    Args:
        rule: preprocessing whose normalization is applied.
        size: height and width.
    """
    random = np.random.default_rng(0)
    (height, width), channels = size, rule.channels
    coarse = random.integers(0, 256, (-(-height // BLOCK), -(-width // BLOCK), channels))
    for pixels in (
        random.integers(0, 256, (height, width, channels)),
        coarse.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:height, :width],
        np.full((height, width, channels), 255),
    ):
        yield ((pixels - np.array(rule.mean)) / np.array(rule.std)).astype(np.float32)


def find_meaning(
    outputs: Sequence[npt.NDArray[np.generic]],
    stated: str | None,
    size: tuple[int, int],
    ends_in_unit: bool | None = None,
) -> tuple[OutputMeaning, str]:
    """Return the stated meaning of an output, or detect it.

    Args:
        outputs: outputs for several inputs, channels first.
        stated: one of `MEANINGS`; None to detect it.
        size: height and width of the input.
        ends_in_unit: whether a sigmoid or softmax computes the output; None if unknown, in which
            case the values decide.

    Returns:
        The meaning, and a sentence about what was detected; "" if everything was stated.

    Raises:
        UsageError: the stated meaning does not fit the output.
        SeaformerError: no meaning fits the output.
    """
    look = _Look(outputs, size, ends_in_unit)
    if stated is not None and not look.allows(stated):
        allowed = ", ".join(meaning for meaning in MEANINGS if look.allows(meaning))
        raise UsageError(
            f"the output is stated to be {stated}, but the network returns {look}. Allowed: "
            f"{allowed or 'none'}."
        )
    if not look.allows("classes") and not look.is_real:
        raise SeaformerError(
            f"the network returns {look}. Allowed for integers: class indices, [1, height, width] "
            "or [1]. Let its forward return these, or the logits."
        )
    if stated is None:
        found = look.found
        return found, f"detected output: {found} ({look}); --output-meaning overrides this."
    if stated == "binary" or (stated in ("logits", "probabilities") and look.has_one_channel):
        found = binary(look.kind_of_values if stated == "binary" else stated)
        return found, f"the output is {found}: {look}."
    return OutputMeaning(stated), ""  # type: ignore[arg-type]


class _Look:
    """Observed properties of an output, [1, ...], over several inputs."""

    def __init__(
        self,
        outputs: Sequence[npt.NDArray[np.generic]],
        size: tuple[int, int],
        ends_in_unit: bool | None,
    ) -> None:
        self._dtype, self._shape = outputs[0].dtype, outputs[0].shape
        axes, values = len(self._shape), np.stack(outputs).astype(np.float64)
        self._values, self._may_be_unit = values, ends_in_unit is not False
        self._is_finite = bool(np.isfinite(values).all())
        self._low, self._high = float(values.min()), float(values.max())
        self.is_real = self._dtype.kind == "f"
        is_map = axes == 3 and self._shape[1:] == size
        self.has_one_channel = is_map or (axes in (2, 4) and self._shape[1] == 1)
        self._could_be_scores = self.is_real and (axes in (2, 4) or is_map)
        self._could_be_ids = axes in (1, 3) or self.has_one_channel

    def __str__(self) -> str:
        between = f", values {self._low:.3g} to {self._high:.3g}" if self._is_finite else ""
        return f"{self._dtype} {list(self._shape)}{between}"

    def allows(self, meaning: str) -> bool:
        """Whether dtype and shape of the output allow a meaning."""
        if meaning == "classes":
            return self._could_be_ids
        if meaning == "features":
            return self.is_real
        return self._could_be_scores and (meaning != "binary" or self.has_one_channel)

    @property
    def kind_of_values(self) -> str:
        """Whether the values are "logits" or "probabilities"."""
        is_unit = self._may_be_unit and self._is_finite and self._low >= 0 and self._high <= 1
        if is_unit and not self.has_one_channel:
            is_unit = bool(np.abs(self._values.sum(2) - 1).max() < _SUMS_TO_ONE)
        return "probabilities" if is_unit else "logits"

    @property
    def found(self) -> OutputMeaning:
        """The most likely of the possible meanings."""
        is_whole = self._is_finite and not np.any(self._values % 1) and self._low >= 0
        if not self.is_real or (self._could_be_ids and is_whole and self._high > 1):
            return OutputMeaning("classes")
        if not self._could_be_scores:
            return OutputMeaning("features")
        if self.has_one_channel:
            return binary(self.kind_of_values)
        return OutputMeaning(self.kind_of_values)  # type: ignore[arg-type]
