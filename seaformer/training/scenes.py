"""The annotated images of a training run: procedurally drawn, or from a folder."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seaformer.datasets.boxes import Boxes
from seaformer.datasets.dataset import Dataset, Fault, check, open_dataset
from seaformer.datasets.masks import IGNORED, ignored_values, read_mask
from seaformer.datasets.shapes import DETECTION_TASK, TASK, ShapesDataset, ShapesWithBoxes
from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.images import read_image
from seaformer.tasks import Task, get_task

SHAPES = TASK
"""Value of --data for drawn scenes. A folder of this name is given as ./shapes."""

_HELD_OUT = 10
"""In a data set without splits, one image in ten is for validation."""


class Scenes(Protocol):
    """Images, uint8 [H, W, 3] RGB, with their annotations.

    An annotation is a mask, uint8 [H, W], of class indices, with 255 for ignored pixels; for
    detection, it is `Boxes`.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], Any]: ...


@dataclass(frozen=True)
class FolderScenes:
    """The images of a data set on disk, read on demand."""

    dataset: Dataset

    def __len__(self) -> int:
        return len(self.dataset.items)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], Any]:
        item = self.dataset.items[index]
        image = read_image(item.image)
        if isinstance(item.target, Boxes):
            item.target.check_size(image, item.name)
            return image, item.target
        return image, read_mask(item, self.dataset.task)


@dataclass(frozen=True)
class TrainingData:
    """Training and validation images of one task; no image is in both.

    Attributes:
        task: the task.
        training: training images.
        validation: validation images.
        datasets: data sets on disk that the images come from; empty for drawn scenes.
        note: sentence about how the data set was split; may be empty.
        held_out: names of the validation images of a data set without splits.
    """

    task: Task
    training: Scenes
    validation: Scenes
    datasets: tuple[Dataset, ...] = ()
    note: str = ""
    held_out: tuple[str, ...] = ()

    def faults(self) -> Iterator[Fault]:
        """Read all files, and yield each file that cannot be used once."""
        seen = set()
        for dataset in self.datasets:
            for fault in check(dataset):
                if fault.path not in seen:
                    seen.add(fault.path)
                    yield fault

    def check_classes(self) -> str:
        """Check that training and validation images have annotations that are not ignored.

        Masks are read only until enough classes are found.

        Returns:
            A warning about the training masks, as a sentence; may be empty.

        Raises:
            SeaformerError: all pixels are ignored, or there are no boxes.
        """
        if not self.task.is_segmentation:
            for dataset in self.datasets:
                targets = (item.target for item in dataset.items)
                if not any(isinstance(one, Boxes) and one.single().boxes for one in targets):
                    raise SeaformerError(
                        f"the {len(dataset.items)} images of split {dataset.split} have no boxes "
                        "of single objects. Annotate some; nothing was trained."
                    )
            return ""
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
                    f"only {ignored}. Correct them; nothing was trained."
                )
        if len(classes) == 1 < self.task.num_classes:
            label = self.task.labels[classes.pop()]
            return (
                f"all pixels of the training masks are of one class, '{label}', or ignored "
                f"({ignored_values(self.task)})"
            )
        return ""


def open_data(
    data: str,
    task: str | Task | None = None,
    seed: int = 0,
    held_out: Collection[str] | None = None,
    kinds: Collection[str] = ("segmentation",),
) -> TrainingData:
    """Find the images for training and for validation.

    Args:
        data: folder of a data set in one of the layouts, or "shapes" for drawn scenes.
        task: the task, its name, or None for the task of the data set.
        seed: determines drawn training scenes (validation scenes are always the same), and which
            images are held out.
        held_out: names of the validation images of a data set without splits, so that a resumed run
            keeps them even if images were added; None to choose them with the seed.
        kinds: kinds of tasks that the network can be trained for.

    Raises:
        UsageError: the task is unknown or does not fit the data or the network, or an image that
            was held out is missing.
        SeaformerError: there is no data set in the folder.
    """
    if data == SHAPES:
        allowed = DETECTION_TASK if "detection" in kinds else TASK
        name = task.name if isinstance(task, Task) else task
        if name not in (None, allowed):
            raise UsageError(f"--task is {name}. Allowed with --data {SHAPES}: {allowed}.")
        drawn = ShapesWithBoxes if "detection" in kinds else ShapesDataset
        return TrainingData(get_task(allowed), drawn("train", seed=seed), drawn("val"))
    training, validation = (open_dataset(data, task, split) for split in ("train", "val"))
    if training.task.kind not in kinds:
        raise UsageError(
            f"task {training.task.name} is {training.task.kind}. Allowed for this network: a task "
            f"for {' or '.join(kinds)}."
        )
    datasets: tuple[Dataset, ...] = (training, validation)
    note = ""
    if training.items == validation.items:
        datasets = (training,)
        names = _chosen(training, seed) if held_out is None else frozenset(held_out)
        training, validation = _split(training, names)
        note = (
            f"'{data}' has no train and val folders: {len(validation.items)} of "
            f"{len(training.items) + len(validation.items)} images are held out for validation, "
            f"chosen by --seed {seed}"
        )
    return TrainingData(
        training.task,
        FolderScenes(training),
        FolderScenes(validation),
        datasets,
        note,
        tuple(item.name for item in validation.items) if note else (),
    )


def _chosen(dataset: Dataset, seed: int) -> frozenset[str]:
    """Return the names of the validation images for a data set without splits, drawn by seed."""
    items = dataset.items
    if len(items) < 2:
        raise UsageError(
            f"'{dataset.folder}' has only one image. Give at least two: one is for validation."
        )
    order = np.random.default_rng((seed, 3)).permutation(len(items))
    return frozenset(items[place].name for place in order[: -(-len(items) // _HELD_OUT)])


def _split(dataset: Dataset, held_out: frozenset[str]) -> tuple[Dataset, Dataset]:
    """Return the training images, and the held-out images."""
    held = dataset.only(held_out)
    rest = tuple(item for item in dataset.items if item.name not in held_out)
    if not rest:
        raise UsageError(f"all images of '{dataset.folder}' are held out. Add training images.")
    return replace(dataset, items=rest), replace(held, split="val")
