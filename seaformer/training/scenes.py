"""The images and masks of a run: drawn ones, or those of a folder."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from seaformer.datasets.dataset import Dataset, Fault, check, open_dataset
from seaformer.datasets.masks import IGNORED, ignored_values, read_mask
from seaformer.datasets.shapes import TASK, ShapesDataset
from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.images import read_image
from seaformer.tasks import Task, get_task

SHAPES = TASK
"""What asks for drawn scenes rather than a folder. A folder of this name is given as ./shapes."""

_HELD_OUT = 10
"""Of a data set without splits one image in ten is for validation."""


class Scenes(Protocol):
    """Images with masks: uint8 [H, W, 3] RGB, and uint8 [H, W] class indices, 255 for ignored."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]: ...


@dataclass(frozen=True)
class FolderScenes:
    """The images of a data set on disk, read when they are asked for."""

    dataset: Dataset

    def __len__(self) -> int:
        return len(self.dataset.items)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        item = self.dataset.items[index]
        return read_image(item.image), read_mask(item, self.dataset.task)


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on, of one task; no image is in both.

    `datasets` are those on disk that the images are of; empty for drawn scenes. `note` is what a
    user should know of how they were split, in a sentence; may be empty. `held_out` names the
    validation images of a data set without splits.
    """

    task: Task
    training: Scenes
    validation: Scenes
    datasets: tuple[Dataset, ...] = ()
    note: str = ""
    held_out: tuple[str, ...] = ()

    def faults(self) -> Iterator[Fault]:
        """Read everything, and yield the files that cannot be used; each once."""
        seen = set()
        for dataset in self.datasets:
            for fault in check(dataset):
                if fault.path not in seen:
                    seen.add(fault.path)
                    yield fault

    def check_classes(self) -> str:
        """Look for pixels to learn from and to measure on, in as few images as it takes.

        Returns:
            What a user should know of the training masks, in a sentence; may be empty.

        Raises:
            SeaformerError: there are none.
        """
        for name, scenes in (("validation", self.validation), ("training", self.training)):
            classes: set[int] = set()
            for index in range(len(scenes)):
                classes.update(np.unique(scenes[index][1]).tolist())
                classes.discard(IGNORED)
                if len(classes) > (name == "training"):
                    break
            if not classes:
                ignored = ignored_values(self.task)
                raise SeaformerError(
                    f"every pixel of the {len(scenes)} {name} masks is ignored: they store "
                    f"{ignored} only. Correct them; nothing was trained."
                )
        if len(classes) == 1 < self.task.num_classes:
            label = self.task.labels[classes.pop()]
            return (
                f"all pixels of the training masks are of one class, '{label}', or ignored: they "
                f"store {ignored_values(self.task)}"
            )
        return ""


def open_data(
    data: str,
    task: str | Task | None = None,
    seed: int = 0,
    held_out: Collection[str] | None = None,
) -> TrainingData:
    """Find the images for training and for validation.

    `data` is the folder of a segmentation data set in one of the layouts, or "shapes": scenes that
    are drawn, by the seed for training, and for validation always the same. The task is one, its
    name, or None for what the data set says. `held_out` names the validation images of a data set
    without splits, None to choose them by the seed: a run that is resumed keeps them also if images
    were added.

    Raises:
        UsageError: the task is unknown, does not go with the data or is no segmentation, or an
            image that was held out is missing.
        SeaformerError: there is no data set in the folder.
    """
    if data == SHAPES:
        name = task.name if isinstance(task, Task) else task
        if name not in (None, TASK):
            raise UsageError(f"--task is {name}. Allowed with the drawn scenes: {TASK}.")
        training = ShapesDataset("train", seed=seed)
        return TrainingData(get_task(TASK), training, ShapesDataset("val"))
    learned, measured = (open_dataset(data, task, split) for split in ("train", "val"))
    if not learned.task.is_segmentation:
        raise UsageError(
            f"task {learned.task.name} is {learned.task.kind}. Allowed: a segmentation task."
        )
    datasets: tuple[Dataset, ...] = (learned, measured)
    note = ""
    if learned.items == measured.items:
        datasets = (learned,)
        names = _chosen(learned, seed) if held_out is None else frozenset(held_out)
        learned, measured = _split(learned, names)
        note = (
            f"'{data}' has no folders train and val: {len(measured.items)} of "
            f"{len(learned.items) + len(measured.items)} images are held out for validation, "
            f"chosen by --seed {seed}"
        )
    return TrainingData(
        learned.task,
        FolderScenes(learned),
        FolderScenes(measured),
        datasets,
        note,
        tuple(item.name for item in measured.items) if note else (),
    )


def _chosen(dataset: Dataset, seed: int) -> frozenset[str]:
    """Choose images of a data set without splits by the seed; return their names."""
    items = dataset.items
    if len(items) < 2:
        raise UsageError(
            f"'{dataset.folder}' has one image. Give two or more: one has to be for validation."
        )
    order = np.random.default_rng((seed, 3)).permutation(len(items))
    return frozenset(items[place].name for place in order[: -(-len(items) // _HELD_OUT)])


def _split(dataset: Dataset, held_out: frozenset[str]) -> tuple[Dataset, Dataset]:
    """Return the images to learn from, and those that are held out."""
    measured = dataset.only(held_out)
    rest = tuple(item for item in dataset.items if item.name not in held_out)
    if not rest:
        raise UsageError(f"all images of '{dataset.folder}' are held out. Add some to learn from.")
    return replace(dataset, items=rest), replace(measured, split="val")
