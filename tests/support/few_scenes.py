"""The first procedural scenes of a split, for training runs of seconds."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from seaformer.datasets.shapes import ShapesDataset


@dataclass(frozen=True)
class FewScenes:
    """The first scenes of a split, at a small size."""

    split: str
    count: int
    side: int = 64

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return ShapesDataset(self.split, (self.side, self.side))[index]


@dataclass(frozen=True)
class InterruptedScenes(FewScenes):
    """Raises KeyboardInterrupt at one of the readings, which are counted from 1."""

    interrupted: int = 1
    readings: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if next(self.readings) == self.interrupted:
            raise KeyboardInterrupt
        return super().__getitem__(index)
