"""Opening a data set: detecting its layout and task, and listing its images."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from seaformer.datasets.boxes import Boxes
from seaformer.datasets.coco_file import CocoFile
from seaformer.datasets.layouts import LABELS, LAYOUTS, SPLITS, Folders, Item, Layout, files
from seaformer.datasets.masks import read_mask
from seaformer.datasets.own_task import own_task, task_of_categories
from seaformer.errors import SeaformerError, UsageError, quoted, unknown_name
from seaformer.extras import MissingExtraError
from seaformer.imaging.images import read_image
from seaformer.tasks import Task, get_task


@dataclass(frozen=True)
class Dataset:
    """A split of a data set in a folder.

    Attributes:
        folder: folder of the data set.
        task: the task, which defines what the masks store.
        layout: name of a layout in `LAYOUTS`.
        split: "train" or "val".
        items: images, sorted by name.
    """

    folder: Path
    task: Task
    layout: str
    split: str
    items: tuple[Item, ...]

    @property
    def has_splits(self) -> bool:
        """Whether training and validation images are in separate folders or lists."""
        found = (LAYOUTS[self.layout].find(self.folder, split) for split in SPLITS)
        return len(set(found)) > 1

    def spread(self, limit: int) -> "Dataset":
        """Return an evenly spaced subset of at most `limit` images.

        The first `limit` images would be biased: if they are sorted by class, all are of one class.
        """
        count = min(limit, len(self.items))
        chosen = (self.items[place * len(self.items) // count] for place in range(count))
        return replace(self, items=tuple(chosen))

    def only(self, names: Collection[str]) -> "Dataset":
        """Return the images with these names.

        Raises:
            UsageError: the data set has no such image.
        """
        items, wanted = {item.name: item for item in self.items}, frozenset(names)
        if missing := sorted(wanted - items.keys()):
            raise UsageError(
                f"'{self.folder}' has no image {quoted(missing[0])} ({len(missing)} of "
                f"{len(wanted)} names are missing). Names look like {quoted(next(iter(items)))}."
            )
        return replace(self, items=tuple(one for one in self.items if one.name in wanted))

    def shard(self, place: int, count: int) -> "Dataset":
        """Return shard `place`, from 1, of `count` shards of about equal size.

        Adjacent images go to different shards, so that each shard has images of every class.
        """
        return replace(self, items=self.items[place - 1 :: count])


@dataclass(frozen=True)
class Fault:
    """A file of a data set that cannot be used; `problem` is a sentence that says why."""

    path: Path
    problem: str


def open_dataset(
    folder: str | Path,
    task: str | Task | None = None,
    split: str = "val",
    layout: str | None = None,
) -> Dataset:
    """List a split of a data set. No image is read, so it may contain missing or damaged files.

    Args:
        folder: folder of the data set.
        task: name of a task, or your own task. None for the task in `labels.json` of the folder, or
            else the task of the categories that are annotated, or that is published in this layout.
        split: "train" or "val". A plain data set without split folders returns all images.
        layout: name of a layout; None to detect it.

    Raises:
        UnknownNameError: `task`, `split` or `layout` is unknown.
        UsageError: the layout does not fit the task, or the task is unknown.
        SeaformerError: the folder is missing, has no layout that fits the task, or no images; the
            message shows the expected layout. Or its annotations cannot be used.
    """
    folder = Path(folder)
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if not folder.is_dir():
        raise SeaformerError(f"there is no folder '{folder}'. Give the folder of a data set.")
    task = get_task(task) if isinstance(task, str) else task or own_task(folder)
    found, folders = _recognize(folder, split, _candidates(task, layout))
    annotations = None if folders.annotations is None else CocoFile(folder / folders.annotations)
    if task is None and annotations is not None:
        task = task_of_categories(folder, annotations.categories)
    if task is None:
        if not found.tasks:
            raise UsageError(
                f"the classes of '{folder}' are unknown. Add {LABELS}, a list of class names in "
                "the order of the values in the masks, or give the task."
            )
        task = get_task(found.tasks[0])
    if annotations is None:
        items = tuple(_items(found, folder, split, folders, task))
    else:
        items = tuple(_annotated(annotations, folder / folders.images, task))
    if not items:
        raise SeaformerError(
            f"there are no images in '{folder / folders.images}'. Expected: "
            f"{found.expected(split)}."
        )
    return Dataset(folder, task, found.name, split, items)


def fault_of(item: Item, task: Task) -> Fault | None:
    """Read an item; return the fault of its image, mask or boxes, or None.

    Raises:
        MissingExtraError: it is HEIC, and the extra is not installed.
    """
    path = item.image
    try:
        image = read_image(path)
        if isinstance(item.target, Boxes):
            item.target.check_size(image, item.name)
        if isinstance(item.target, Path):
            path = item.target
            read_mask(item, task)
    except MissingExtraError:
        raise
    except SeaformerError as error:
        return Fault(path, str(error))
    return None


def check(dataset: Dataset) -> Iterator[Fault]:
    """Read a whole data set; yield files that are missing, damaged or have values without a class.

    Masks without an image count too, unless the layout lists the files of a split.
    """
    for item in dataset.items:
        if fault := fault_of(item, dataset.task):
            yield fault
    layout = LAYOUTS[dataset.layout]
    folders = layout.find(dataset.folder, dataset.split)
    if folders is None or folders.masks is None or layout.listing is not None:
        return
    masks = (item.target for item in dataset.items)
    known = {layout.mask_stem(mask) for mask in masks if isinstance(mask, Path)}
    for path in files(dataset.folder / folders.masks, layout.by_folder):
        if path.name.endswith(layout.mask_endings) and layout.mask_stem(path) not in known:
            yield Fault(path, f"there is no image for the mask '{path}'.")


def _candidates(task: Task | None, layout: str | None) -> list[Layout]:
    """Return the possible layouts."""
    if layout is None:
        return [row for row in LAYOUTS.values() if task is None or row.fits(task)]
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    row = LAYOUTS[layout]
    if task is not None and row.kind != task.kind:
        raise UsageError(
            f"layout {layout} is not for {task.kind}, the kind of task {task.name}. Allowed: "
            f"{', '.join(row.name for row in _candidates(task, None))}."
        )
    return [row]


def _recognize(folder: Path, split: str, candidates: list[Layout]) -> tuple[Layout, Folders]:
    for layout in candidates:
        if folders := layout.find(folder, split):
            return layout, folders
    inner = (
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and any(layout.find(path, split) for layout in candidates)
    )
    hint = next((f" Did you mean '{path}'?" for path in inner), "")
    expected = "; ".join(f"{layout.name}: {layout.expected(split)}" for layout in candidates)
    raise SeaformerError(
        f"'{folder}' has none of the layouts for split {split}.{hint} Expected: {expected}."
    )


def _items(layout: Layout, root: Path, split: str, folders: Folders, task: Task) -> Iterator[Item]:
    names = task.ids or task.labels
    classes = {name: index for index, name in enumerate(names)}
    for name, path in layout.images(root, split, folders):
        if layout.kind == "segmentation":
            yield Item(name, path, layout.mask_of(path, root, folders))
        elif path.parent.name in classes:
            yield Item(name, path, classes[path.parent.name])
        else:
            raise SeaformerError(
                f"the folder '{path.parent}' is not a class of task {task.name}. Allowed: "
                f"{names[0]}, {names[1]} and so on."
            )


def _annotated(annotations: CocoFile, folder: Path, task: Task) -> Iterator[Item]:
    for image in annotations.images(task.labels):
        yield Item("/".join(image.parts), folder.joinpath(*image.parts), image.objects)
