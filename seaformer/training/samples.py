"""The stream of training examples: their order, and their distribution over processes.

Examples are numbered through the whole run, and their number and the seed determine everything
random about them. A run that is interrupted and resumed thus sees the same examples as an
uninterrupted run, and several processes together see the same examples as a single process.
"""

import signal
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from seaformer.errors import SeaformerError
from seaformer.interrupts import SIGNALS
from seaformer.tasks import Task
from seaformer.training.objective import OBJECTIVES, Batch
from seaformer.training.recipe import Recipe
from seaformer.training.scenes import Scenes

Example = tuple[Tensor, ...]
"""The tensors of `Objective.augment`: an image, float32 [3, h, w], and its annotation."""


class Examples(Dataset[Example | SeaformerError]):
    """The examples by number, from 0; each pass over the scenes has a different order.

    The error for an unreadable image is returned as an item: if a worker raised it, torch would
    put its traceback into the message.
    """

    def __init__(self, scenes: Scenes, task: Task, recipe: Recipe, seed: int) -> None:
        self.scenes = scenes
        self.task = task
        self.recipe = recipe
        self.seed = seed
        self.objective = OBJECTIVES[task.kind]

    def __getitem__(self, number: int) -> Example | SeaformerError:
        epoch, place = divmod(number, len(self.scenes))
        index = int(_order(len(self.scenes), self.seed, epoch)[place])
        random = np.random.default_rng((self.seed, 1, number))
        try:
            scene = self.scenes[index]
        except SeaformerError as error:
            return error
        arrays = self.objective.augment(*scene, self.task, self.recipe, random)
        return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)

    def collate(self, items: list[Example | SeaformerError]) -> Batch | SeaformerError:
        """Make a batch of examples; return the first error instead, if there is one."""
        errors = (item for item in items if isinstance(item, SeaformerError))
        return next(errors, None) or self.objective.collate(items)


def ignore_signals(_worker: int) -> None:
    """Ignore Ctrl-C, which a terminal also sends to workers: the parent process ends them."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, 0, epoch)).permutation(count)


class Batches(Sampler[list[int]]):
    """Numbers of the examples that one process takes in each step from `first` up to `last`.

    `batch_size` is the total over all processes, a multiple of their number.
    """

    def __init__(
        self, batch_size: int, first: int, last: int, process: int = 0, processes: int = 1
    ) -> None:
        self.batch_size = batch_size
        self.steps = range(first, last)
        self.share = batch_size // processes
        self.offset = process * self.share

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            start = step * self.batch_size + self.offset
            yield list(range(start, start + self.share))
