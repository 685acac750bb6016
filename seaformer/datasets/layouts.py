"""The table of layouts: in which folders a data set keeps its images and annotations.

The published data sets keep the layout they are downloaded in, or for COCO-Stuff and
PASCAL-Context the one that mmsegmentation's converters write, which the official configurations of
SeaFormer read.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.files import read_limited
from seaformer.imaging.image_files import SUFFIXES
from seaformer.names import plain_name
from seaformer.tasks import Task

SPLITS = ("train", "val")

MAX_LISTING_BYTES = 64 * 2**20
"""The names of some million images."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image, by its path inside the data set with "/", and its file.

    `target` is the file of its mask, which may be missing, or in classification its class index.
    """

    name: str
    image: Path
    target: Path | int


@dataclass(frozen=True)
class Folders:
    """Where the files of a split are in the data set's folder; {split} is the name of the split.

    `masks` is None in classification.
    """

    images: str
    masks: str | None


@dataclass(frozen=True)
class Layout:
    """One way to keep a data set in folders.

    Attributes:
        name: as given on a command line.
        places: where the files may be; the first of them that exists is taken.
        tasks: names of the tasks that are published this way, the usual one first.
        takes_any_task: whether other tasks of the same kind may be kept this way too.
        by_folder: whether the files lie in one folder more: of a city, of a class.
        image_ending: what the names of the images end with, before the suffix.
        mask_endings: what the name of a mask has instead; the first is taken that exists.
        listing: file that lists the images of a split by name, without suffix; None if a split is
            all that is in its folder.
        split_names: the data set's own words for "train" and "val".
    """

    name: str
    places: tuple[Folders, ...]
    tasks: tuple[str, ...] = ()
    takes_any_task: bool = False
    by_folder: bool = False
    image_ending: str = ""
    mask_endings: tuple[str, ...] = (".png",)
    listing: str | None = None
    split_names: Mapping[str, str] = field(
        default_factory=lambda: {split: split for split in SPLITS}
    )

    @property
    def is_segmentation(self) -> bool:
        """Whether there are masks."""
        return self.places[0].masks is not None

    def fits(self, task: Task) -> bool:
        """Whether a data set of `task` may be kept this way."""
        return task.name in self.tasks or (
            self.takes_any_task and self.is_segmentation == task.is_segmentation
        )

    def find(self, root: Path, split: str) -> Folders | None:
        """Return the folders of `split` inside `root`, with their names; None if there are none."""
        if self.listing is not None and not (root / self._named(self.listing, split)).is_file():
            return None
        for place in self.places:
            images = self._named(place.images, split)
            masks = place.masks and self._named(place.masks, split)
            if all((root / folder).is_dir() for folder in (images, masks) if folder):
                return Folders(images, masks)
        return None

    def expected(self, split: str) -> str:
        """Say in words where the files should be."""
        images = "*/*" if self.by_folder else "*"
        ways = []
        for place in self.places:
            way = f"{place.images}/{images}{self.image_ending}.jpg or .png"
            if place.masks is not None:
                way += f" with {place.masks}/{images}{' or '.join(self.mask_endings)}"
            if self.listing is not None:
                way += f", named in {self.listing}"
            ways.append(self._named(way, split))
        return ", or ".join(ways)

    def images(self, root: Path, split: str, folders: Folders) -> Iterator[tuple[str, Path]]:
        """Yield the name and the file of each image of a split, in the order of the names.

        Raises:
            SeaformerError: the list of a split has what is no name of a file.
        """
        images = root / folders.images
        if self.listing is not None:
            listing = root / self._named(self.listing, split)
            for name in read_limited(listing, MAX_LISTING_BYTES).decode("utf-8").split():
                yield name, images / plain_name(f"{name}.jpg", f"an image named in '{listing}'")
            return
        for path in files(images, self.by_folder):
            if path.suffix.lower() in SUFFIXES and path.stem.endswith(self.image_ending):
                yield path.relative_to(images).as_posix(), path

    def mask_of(self, image: Path, root: Path, folders: Folders) -> Path:
        """Return the file of the mask of an image, whether it exists or not."""
        stem = image.stem.removesuffix(self.image_ending)
        inside = image.parent.relative_to(root / folders.images)
        names = [root / str(folders.masks) / inside / f"{stem}{end}" for end in self.mask_endings]
        return next((path for path in names if path.exists()), names[0])

    def mask_stem(self, mask: Path) -> Path:
        """Return the path of a mask without its ending, which all masks of an image share."""
        ending = next((end for end in self.mask_endings if mask.name.endswith(end)), "")
        return mask.with_name(mask.name.removesuffix(ending))

    def _named(self, path: str, split: str) -> str:
        return path.replace("{split}", self.split_names[split])


_ALL = (
    Layout(
        name="ade20k",
        tasks=("ade20k",),
        places=(Folders("images/{split}", "annotations/{split}"),),
        split_names={"train": "training", "val": "validation"},
    ),
    Layout(
        name="cityscapes",
        tasks=("cityscapes",),
        places=(Folders("leftImg8bit/{split}", "gtFine/{split}"),),
        by_folder=True,
        image_ending="_leftImg8bit",
        # The second is what the download has; the official tools make the first of it.
        mask_endings=("_gtFine_labelTrainIds.png", "_gtFine_labelIds.png"),
    ),
    Layout(
        name="pascal-context",
        tasks=("pascal-context", "pascal-context-60"),
        places=(Folders("JPEGImages", "SegmentationClassContext"),),
        listing="ImageSets/SegmentationContext/{split}.txt",
    ),
    Layout(
        name="coco-stuff",
        tasks=("coco-stuff",),
        places=(Folders("images/{split}", "annotations/{split}"),),
        mask_endings=("_labelTrainIds.png",),
        split_names={"train": "train2014", "val": "test2014"},
    ),
    Layout(
        name="plain",
        # Without folders of splits, all that there is belongs to every split.
        places=(Folders("images/{split}", "masks/{split}"), Folders("images", "masks")),
        takes_any_task=True,
    ),
    Layout(
        name="imagenet",
        tasks=("imagenet",),
        places=(Folders("{split}", None),),
        takes_any_task=True,
        by_folder=True,
    ),
)

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _ALL}


def files(folder: Path, by_folder: bool) -> Iterator[Path]:
    """Yield the files in a folder, or in the folders in it, in the order of their names.

    Hidden ones are left out: macOS puts a ._image.jpg beside an image, which is none.

    Raises:
        SeaformerError: a folder may not be read.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SeaformerError(f"cannot read the folder '{folder}': {error.strerror}.") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if by_folder and entry.is_dir():
            yield from files(folder / entry.name, by_folder=False)
        elif not by_folder and entry.is_file():
            yield folder / entry.name
