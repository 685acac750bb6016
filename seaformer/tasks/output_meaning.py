"""The meaning of an output, and the class that it predicts.

Verification, prediction, evaluation, quantization and benchmark all derive classes from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Content = Literal["logits", "classes", "mask", "features", "probabilities", "binary", "boxes"]

THRESHOLDS: Mapping[str, float] = MappingProxyType({"logits": 0.0, "probabilities": 0.5})
"""With one output channel, values above the threshold mean class 1."""


@dataclass(frozen=True)
class OutputMeaning:
    """Meaning of an output.

    Attributes:
        content: meaning of the values.
        threshold: values above it mean class 1; None unless `content` is "binary".
    """

    content: Content = "logits"
    threshold: float | None = None

    @property
    def has_labels(self) -> bool:
        """Whether the output is about classes, which have names."""
        return self.content != "features"

    @property
    def has_classes(self) -> bool:
        """Whether the output predicts one class at every position."""
        return self.content not in ("features", "boxes")

    @property
    def gives_ids(self) -> bool:
        """Whether the output is class indices rather than one value per class."""
        return self.content in ("classes", "mask")

    @property
    def gives_scores(self) -> bool:
        """Whether the output has one value per class, and the largest wins."""
        return self.has_classes and not self.gives_ids

    def channels(self, classes: int) -> int:
        """Return the number of output channels for this number of classes."""
        return 1 if self.content == "binary" else classes

    def labels(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """Return the class names; for "binary", a single name is the name of class 1."""
        is_one = self.content == "binary" and len(named) == 1
        return ("background", *named) if is_one else named

    def is_stated_by(self, stated: str) -> bool:
        """Whether it agrees with a statement of the user, one of `MEANINGS`."""
        if self.content != "binary":
            return stated == self.content or (stated, self.content) == ("classes", "mask")
        return stated == "binary" or THRESHOLDS.get(stated) == self.threshold

    def scores(self, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        """Return one value per class along `axis`; the largest wins, or the first of several.

        It is the output itself, except that a single channel becomes two: 0, and the value minus
        the threshold.
        """
        if self.threshold is None:
            return values
        above = values - np.asarray(self.threshold, values.dtype)
        return np.concatenate([np.zeros_like(above), above], axis)

    def decide(self, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        """Return class indices: by threshold, or by arg-max over `axis`; indices are unchanged."""
        if self.threshold is not None:
            return np.asarray(values > self.threshold, np.intp)
        return values if self.gives_ids else values.argmax(axis)

    def probabilities(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the probability of each class, for an output [channels, ...] of scores."""
        numbers = values.astype(np.float64)
        if self.content == "probabilities":
            return numbers
        if self.threshold:
            return np.concatenate([1 - numbers, numbers])
        logits = self.scores(numbers, 0)
        exponentials = np.exp(logits - logits.max(0))
        return np.asarray(exponentials / exponentials.sum(0))

    def __str__(self) -> str:
        if self.threshold is None:
            return self.content
        return f"{self.content}, class 1 above {self.threshold:g}"


def binary(kind: str) -> OutputMeaning:
    """Return the meaning of one channel of "logits" or "probabilities"."""
    return OutputMeaning("binary", THRESHOLDS[kind])


LOGITS, FEATURES = OutputMeaning(), OutputMeaning("features")
BOXES = OutputMeaning("boxes")
"""Class logits and box offsets of every anchor, see `seaformer.artifact.detection_output`."""
