"""The table of layouts: the folders in which data sets store images and annotations.

Published data sets have the layout of their download; COCO-Stuff and PASCAL-Context have the layout
of mmsegmentation's converters, which the official configurations of SeaFormer use.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seaformer.datasets.boxes import Boxes
from seaformer.errors import SeaformerError
from seaformer.files import read_limited
from seaformer.imaging.image_files import SUFFIXES
from seaformer.names import plain_name
from seaformer.tasks import Task

SPLITS = ("train", "val")

LABELS = "labels.json"
"""File with the task of a user's own data set."""

MAX_LISTING_BYTES = 64 * 2**20
"""Limit for a list of names; a list of a million images is smaller."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image with its target.

    Attributes:
        name: path within the data set, with "/".
        image: file of the image.
        target: file of the mask, which may be missing; for classification, the class index; for
            detection, the annotated boxes.
    """

    name: str
    image: Path
    target: Path | int | Boxes


@dataclass(frozen=True)
class Folders:
    """Folders of a split, relative to the data set; {split} stands for the name of the split.

    `masks` is None if there are none. `annotations` is the file with the boxes of all images, or
    None; "*.json" stands for the only JSON file in the folder other than `labels.json`.
    """

    images: str
    masks: str | None = None
    annotations: str | None = None


@dataclass(frozen=True)
class Layout:
    """The folder structure of a data set.

    Attributes:
        name: name on the command line.
        places: alternative sets of folders; the first set that exists is used.
        tasks: names of the tasks whose data sets are published in this layout, the default first.
        takes_any_task: whether other tasks of the same kind may use this layout too.
        by_folder: whether there is one more level of folders, for example by city or class.
        image_ending: ending of the stems of image files.
        mask_endings: endings of mask files, in place of `image_ending` and suffix; the first mask
            that exists is used.
        listing: file that lists the images of a split by name, without suffix; None if a split
            consists of all files in its folder.
        split_names: names of "train" and "val" in the data set.
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
    def kind(self) -> str:
        """Kind of the tasks: segmentation with masks, detection with boxes, or classification."""
        if self.places[0].masks is not None:
            return "segmentation"
        return "classification" if self.places[0].annotations is None else "detection"

    def fits(self, task: Task) -> bool:
        """Whether a data set of `task` may have this layout."""
        return task.name in self.tasks or (self.takes_any_task and self.kind == task.kind)

    def find(self, root: Path, split: str) -> Folders | None:
        """Return the folders of `split` in `root`; None if they do not exist."""
        if self.listing is not None and not (root / self._named(self.listing, split)).is_file():
            return None
        for place in self.places:
            images = self._named(place.images, split)
            masks = place.masks and self._named(place.masks, split)
            annotations = place.annotations and self._named(place.annotations, split)
            if not all((root / folder).is_dir() for folder in (images, masks) if folder):
                continue
            if annotations is None:
                return Folders(images, masks)
            if file := _only_file(root, annotations):
                return Folders(images, masks, file)
        return None

    def expected(self, split: str) -> str:
        """Describe where the files should be."""
        images = "*/*" if self.by_folder else "*"
        patterns = []
        for place in self.places:
            pattern = f"{place.images}/{images}{self.image_ending}.jpg or .png"
            if place.annotations is not None:
                pattern = f"{place.images}/{images} with {place.annotations} in COCO's format"
            if place.masks is not None:
                pattern += f" with {place.masks}/{images}{' or '.join(self.mask_endings)}"
            if self.listing is not None:
                pattern += f", named in {self.listing}"
            patterns.append(self._named(pattern, split))
        return ", or ".join(patterns)

    def images(self, root: Path, split: str, folders: Folders) -> Iterator[tuple[str, Path]]:
        """Yield the name and the file of each image of a split, sorted by name.

        Raises:
            SeaformerError: the list of a split is not text, or contains an invalid file name.
        """
        images = root / folders.images
        if self.listing is not None:
            listing = root / self._named(self.listing, split)
            try:
                names = read_limited(listing, MAX_LISTING_BYTES).decode("utf-8").split()
            except UnicodeDecodeError as error:
                raise SeaformerError(
                    f"'{listing}' is not a list of names: {error}. Download the data set again."
                ) from error
            for name in names:
                yield name, images / plain_name(f"{name}.jpg", f"an image named in '{listing}'")
            return
        for path in files(images, self.by_folder):
            if path.suffix.lower() in SUFFIXES and path.stem.endswith(self.image_ending):
                yield path.relative_to(images).as_posix(), path

    def mask_of(self, image: Path, root: Path, folders: Folders) -> Path:
        """Return the file of the mask of an image, even if it does not exist."""
        stem = image.stem.removesuffix(self.image_ending)
        inside = image.parent.relative_to(root / folders.images)
        names = [root / str(folders.masks) / inside / f"{stem}{end}" for end in self.mask_endings]
        return next((path for path in names if path.exists()), names[0])

    def mask_stem(self, mask: Path) -> Path:
        """Return the path of a mask without its ending, the same for all masks of an image."""
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
        # The download contains the second; the official tools convert it to the first.
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
        # Without split folders, all images belong to every split.
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
    Layout(
        name="coco",
        tasks=("coco",),
        places=(
            Folders("{split}2017", annotations="annotations/instances_{split}2017.json"),
            # Without split folders, all images belong to every split.
            Folders("images", annotations="*.json"),
            Folders(".", annotations="*.json"),
        ),
        takes_any_task=True,
    ),
)

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _ALL}


def _only_file(root: Path, pattern: str) -> str | None:
    """Return the only match of a pattern, without `labels.json`; None for no or several matches."""
    found = [path for path in root.glob(pattern) if path.is_file() and path.name != LABELS]
    return found[0].relative_to(root).as_posix() if len(found) == 1 else None


def files(folder: Path, by_folder: bool) -> Iterator[Path]:
    """Yield the files in a folder, or in its subfolders, sorted by name.

    Hidden files are ignored: macOS writes files such as ._image.jpg, which are not images.

    Raises:
        SeaformerError: a folder cannot be read.
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
