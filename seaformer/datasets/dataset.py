"""Opening a data set: recognising its layout and task, and listing its images."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from seaformer.datasets.layouts import LAYOUTS, SPLITS, Folders, Item, Layout, files
from seaformer.datasets.masks import read_mask
from seaformer.datasets.own_task import FILE, own_task
from seaformer.errors import SeaformerError, UsageError, quoted, unknown_name
from seaformer.imaging.images import read_image
from seaformer.tasks import Task, get_task


@dataclass(frozen=True)
class Dataset:
    """A split, "train" or "val", of the data set in a folder, in one of `LAYOUTS`, by name.

    The task says what its masks store; the items are in the order of their names.
    """

    folder: Path
    task: Task
    layout: str
    split: str
    items: tuple[Item, ...]

    @property
    def has_splits(self) -> bool:
        """Whether images for training and for validation lie in folders or lists of their own."""
        found = (LAYOUTS[self.layout].find(self.folder, split) for split in SPLITS)
        return len(set(found)) > 1

    def spread(self, limit: int) -> "Dataset":
        """Return `limit` of the images, or all there are, spread evenly from the first on.

        The first ones would not do: where the order is that of the classes, they are all of one.
        """
        count = min(limit, len(self.items))
        chosen = (self.items[place * len(self.items) // count] for place in range(count))
        return replace(self, items=tuple(chosen))

    def only(self, names: Collection[str]) -> "Dataset":
        """Return the images of these names.

        Raises:
            UsageError: the data set has no such image.
        """
        items, wanted = {item.name: item for item in self.items}, frozenset(names)
        if missing := sorted(wanted - items.keys()):
            raise UsageError(
                f"'{self.folder}' has no image {quoted(missing[0])}, one of {len(missing)} missing "
                f"names of {len(wanted)}. Its names are such as {quoted(next(iter(items)))}."
            )
        return replace(self, items=tuple(one for one in self.items if one.name in wanted))

    def shard(self, place: int, count: int) -> "Dataset":
        """Return the `place`-th, from 1 on, of `count` parts of about equal size.

        Neighbours go to different parts, so that each has some of every class.
        """
        return replace(self, items=self.items[place - 1 :: count])


@dataclass(frozen=True)
class Fault:
    """A file of a data set that cannot be used; `problem` is why, in a sentence."""

    path: Path
    problem: str


def open_dataset(
    folder: str | Path,
    task: str | Task | None = None,
    split: str = "val",
    layout: str | None = None,
) -> Dataset:
    """List a split of a data set. No image is read, so what is missing or damaged is in it too.

    Args:
        folder: the data set's own folder.
        task: name of a task, or one of your own. None for what `labels.json` in the folder says, or
            else for the task that is published in this layout.
        split: "train" or "val". A plain data set without folders of splits gives all it has.
        layout: name of a layout; None for that of the folders that are there.

    Raises:
        UnknownNameError: `task`, `split` or `layout` is unknown.
        UsageError: the layout does not go with the task, or nothing says the task.
        SeaformerError: the folder is missing, has none of the layouts that go with the task, or no
            images; the message shows the layout that was expected.
    """
    folder = Path(folder)
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if not folder.is_dir():
        raise SeaformerError(f"there is no folder '{folder}'. Give the folder of a data set.")
    task = get_task(task) if isinstance(task, str) else task or own_task(folder)
    found, folders = _recognise(folder, split, _candidates(task, layout))
    if task is None:
        if not found.tasks:
            raise UsageError(
                f"'{folder}' does not say its classes. Put {FILE} there, a list of their names in "
                "the order of the values in the masks, or give the task."
            )
        task = get_task(found.tasks[0])
    items = tuple(_items(found, folder, split, folders, task))
    if not items:
        raise SeaformerError(
            f"there are no images in '{folder / folders.images}'. Expected: "
            f"{found.expected(split)}."
        )
    return Dataset(folder, task, found.name, split, items)


def fault_of(item: Item, task: Task) -> Fault | None:
    """Read an item, and return what is wrong with its image or its mask; None for nothing."""
    path = item.image
    try:
        read_image(path)
        if isinstance(item.target, Path):
            path = item.target
            read_mask(item, task)
    except SeaformerError as error:
        return Fault(path, str(error))
    return None


def check(dataset: Dataset) -> Iterator[Fault]:
    """Read a whole data set, and yield what is missing, damaged or has values that are no class.

    A mask without an image counts too, except where a list says which masks belong to the split.
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
    """Return the layouts that the folders may have."""
    if layout is None:
        return [row for row in LAYOUTS.values() if task is None or row.fits(task)]
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    row = LAYOUTS[layout]
    if task is not None and row.is_segmentation != task.is_segmentation:
        raise UsageError(
            f"layout {layout} is not for {task.kind}, which task {task.name} is. Allowed: "
            f"{', '.join(row.name for row in _candidates(task, None))}."
        )
    return [row]


def _recognise(folder: Path, split: str, candidates: list[Layout]) -> tuple[Layout, Folders]:
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
        f"'{folder}' has none of the layouts for split {split}.{hint} Expected in it: {expected}."
    )


def _items(layout: Layout, root: Path, split: str, folders: Folders, task: Task) -> Iterator[Item]:
    names = task.ids or task.labels
    classes = {name: index for index, name in enumerate(names)}
    for name, path in layout.images(root, split, folders):
        if layout.is_segmentation:
            yield Item(name, path, layout.mask_of(path, root, folders))
        elif path.parent.name in classes:
            yield Item(name, path, classes[path.parent.name])
        else:
            raise SeaformerError(
                f"the folder '{path.parent}' is no class of task {task.name}. Allowed: "
                f"{names[0]}, {names[1]} and so on."
            )
