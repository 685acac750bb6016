"""The pictures and masks of a run: drawn ones, or those of a folder."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from seaformer.datasets.dataset import Dataset, Fault, check, open_dataset
from seaformer.datasets.masks import read_mask
from seaformer.datasets.shapes import TASK, ShapesDataset
from seaformer.errors import UsageError
from seaformer.imaging.images import read_image
from seaformer.tasks import Task, get_task

SHAPES = TASK
"""What asks for drawn scenes rather than a folder. A folder of this name is given as ./shapes."""

_HELD_OUT = 10
"""Of a data set without splits every tenth picture is for validation."""


class Scenes(Protocol):
    """Pictures with masks: uint8 [H, W, 3] RGB, and uint8 [H, W] class indices, 255 for ignored."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]: ...


@dataclass(frozen=True)
class FolderScenes:
    """The pictures of a data set on disk, read when they are asked for."""

    dataset: Dataset

    def __len__(self) -> int:
        return len(self.dataset.items)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        item = self.dataset.items[index]
        return read_image(item.image), read_mask(item, self.dataset.task)


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on, of one task; no picture is in both.

    `datasets` are those on disk that the pictures are of; empty for drawn scenes.
    """

    task: Task
    training: Scenes
    validation: Scenes
    datasets: tuple[Dataset, ...] = ()

    def faults(self) -> Iterator[Fault]:
        """Read everything, and yield the files that cannot be used; each once."""
        seen = set()
        for dataset in self.datasets:
            for fault in check(dataset):
                if fault.path not in seen:
                    seen.add(fault.path)
                    yield fault


def open_data(data: str, task: str | None = None, seed: int = 0) -> TrainingData:
    """Find the pictures for training and for validation.

    `data` is the folder of a segmentation data set in one of the layouts, or "shapes": scenes that
    are drawn, by the seed for training, and for validation always the same. The task is a name, or
    None for what the data set says.

    Raises:
        UsageError: the task is unknown, does not go with the data or is no segmentation.
        SeaformerError: there is no data set in the folder.
    """
    if data == SHAPES:
        if task not in (None, TASK):
            raise UsageError(f"--task is {task}. Allowed with the drawn scenes: {TASK}.")
        training = ShapesDataset("train", seed=seed)
        return TrainingData(get_task(TASK), training, ShapesDataset("val"))
    learned, measured = (open_dataset(data, task, split) for split in ("train", "val"))
    if not learned.task.is_segmentation:
        raise UsageError(
            f"task {learned.task.name} is {learned.task.kind}. Allowed: a segmentation task."
        )
    if learned.items == measured.items:
        learned, measured = _held_out(learned)
    return TrainingData(
        learned.task, FolderScenes(learned), FolderScenes(measured), (learned, measured)
    )


def _held_out(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Split a data set without splits."""
    if len(dataset.items) < 2:
        raise UsageError(
            f"'{dataset.folder}' has one picture. Give two or more: one has to be for validation."
        )
    validation = dataset.items[::_HELD_OUT]
    training = tuple(item for item in dataset.items if item not in set(validation))
    return replace(dataset, items=training), replace(dataset, split="val", items=validation)
