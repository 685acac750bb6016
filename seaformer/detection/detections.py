"""The detections of an image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections of an image, highest score first.

    Attributes:
        boxes: float32 [N, 4]; x0, y0, x1, y1 of each box, in pixels of the image.
        scores: float32 [N], 0..1.
        classes: class index of each box, int64 [N].
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.float32], float, int]]:
        """Yield box, score and class index of each detection."""
        for box, score, index in zip(self.boxes, self.scores, self.classes, strict=True):
            yield box, float(score), int(index)

    def above(self, score: float) -> Self:
        """Return the detections whose score is at least `score`."""
        return self._selected(self.scores >= score)

    def first(self, count: int) -> Self:
        """Return the `count` detections with the highest scores."""
        return self._selected(slice(count))

    def _selected(self, which: npt.NDArray[np.bool_] | slice) -> Self:
        return type(self)(self.boxes[which], self.scores[which], self.classes[which])
