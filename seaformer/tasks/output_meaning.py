"""What the numbers of an output mean, and so which class they decide for.

Every place that decides asks this: verification, prediction, evaluation, quantization, benchmark.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Content = Literal["logits", "classes", "mask", "features", "probabilities", "binary"]

THRESHOLDS: Mapping[str, float] = MappingProxyType({"logits": 0.0, "probabilities": 0.5})
"""Above it one channel means class 1."""


@dataclass(frozen=True)
class OutputMeaning:
    """What an output means.

    Attributes:
        content: what it holds.
        threshold: of "binary": above it, class 1; None of any other.
    """

    content: Content = "logits"
    threshold: float | None = None

    @property
    def has_classes(self) -> bool:
        """Whether it decides for a class at all."""
        return self.content != "features"

    @property
    def gives_ids(self) -> bool:
        """Whether it is class ids, and not a value for each class."""
        return self.content in ("classes", "mask")

    @property
    def gives_scores(self) -> bool:
        """Whether it is a value for each class, of which the largest wins."""
        return self.has_classes and not self.gives_ids

    def channels(self, classes: int) -> int:
        """Number of channels with which it decides between so many classes."""
        return 1 if self.content == "binary" else classes

    def labels(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the classes: with one channel, that of class 1 alone will do."""
        is_one = self.content == "binary" and len(named) == 1
        return ("background", *named) if is_one else named

    def is_stated_by(self, stated: str) -> bool:
        """Whether it is what a user says, one of `MEANINGS`."""
        if self.content != "binary":
            return stated == self.content or (stated, self.content) == ("classes", "mask")
        return stated == "binary" or THRESHOLDS.get(stated) == self.threshold

    def scores(self, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        """Return a value for each class along `axis`, of which the largest wins, the first of ties.

        That is the output itself, but for one channel, which becomes 0 and what is above the
        threshold.
        """
        if self.threshold is None:
            return values
        above = values - np.asarray(self.threshold, values.dtype)
        return np.concatenate([np.zeros_like(above), above], axis)

    def decide(self, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        """Return the class ids, of several channels without `axis`; ids come out as they are."""
        if self.threshold is not None:
            return np.asarray(values > self.threshold, np.intp)
        return values if self.gives_ids else values.argmax(axis)

    def probabilities(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the probability of each class of an output [channels, ...] that is not ids."""
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
