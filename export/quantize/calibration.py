"""The images that a quantizer sees: some to calibrate with, others to measure on.

Activation ranges come from images like those that the model will see. Random noise is not such:
`random` exists for work where only latency counts, and marks what it makes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.datasets import Dataset, fault_of, open_dataset, read_mask
from seaformer.datasets.shapes import TASK as SHAPES
from seaformer.datasets.shapes import ShapesDataset
from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.image_files import SUFFIXES, find_images, listed
from seaformer.imaging.images import read_image, unreadable
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.tasks import Preprocessing, Task

RANDOM = "random"
"""The value of --calibration that is no folder."""

FEW_SAMPLES = 100
"""Below this many images the command warns."""

TEST_IMAGES = 100
"""Held out of a folder of photographs, if it has as many to spare."""

Image = npt.NDArray[np.uint8]
Truth = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Images:
    """Images that are read when they are needed.

    Attributes:
        name: what they are, for people.
        read: the image of a place, uint8 [H, W, 3] RGB, and its truth: the class of each pixel,
            [H, W] with `seaformer.datasets.IGNORED` where none counts, or in classification the
            class of the image, []; None if it is not known.
    """

    name: str
    count: int
    read: Callable[[int], tuple[Image, Truth | None]]

    def __iter__(self) -> Iterator[tuple[Image, Truth | None]]:
        return (self.read(place) for place in range(self.count))


@dataclass(frozen=True)
class Calibration:
    """What to calibrate with, and what to measure on afterwards: None where that means nothing.

    `classes` are of the truth in `test`, None without one; `is_random` says whether the images
    are noise, and `notes` what a user should know; `skipped` says which files of the folder are not
    used, "" for none.
    """

    images: Images
    test: Images | None
    classes: int | None
    is_random: bool = False
    notes: tuple[str, ...] = ()
    skipped: str = ""


def open_calibration(where: str | None, samples: int, task: Task) -> Calibration:
    """Find the images, `samples` at most; of a folder, those that cannot be read are left out.

    `where` is a folder of photographs, the folder of a data set in a layout of the task, "random",
    or None for the procedural scenes of the task "shapes".

    Raises:
        UsageError: nothing is given and the task has no scenes of its own, or `samples` is no
            positive number.
        SeaformerError: the folder is missing, has no images that can be read, or is a data set
            with damaged ones.
    """
    if samples < 1:
        raise UsageError(f"--calibration-samples is {samples}. Allowed: 1 or more.")
    if where is None:
        if task.name != SHAPES:
            raise UsageError(
                f"an integer precision needs images like those that the model will see, and task "
                f"'{task.name}' has none of its own. Give a folder of a few hundred photographs "
                f"with --calibration DIR (or '--calibration {RANDOM}' where only latency counts)."
            )
        return _scenes(samples)
    if where == RANDOM:
        return Calibration(_noise(samples), None, None, is_random=True)
    found = open_folder(where, samples, task, "--calibration")
    count = found.images.count
    if count >= FEW_SAMPLES:
        return found
    few = (
        f"{count} {'image is' if count == 1 else 'images are'} few to calibrate with: "
        f"{FEW_SAMPLES} or more make ranges that hold. Add images, or raise "
        "--calibration-samples."
    )
    return replace(found, notes=(*found.notes, few))


def open_folder(where: str, samples: int, task: Task, option: str) -> Calibration:
    """Open a folder of photographs, or of a data set of the task; `option` is what names it.

    Raises:
        SeaformerError: the folder is missing or has no images.
    """
    folder = Path(where)
    if not folder.is_dir():
        other = f", or '{RANDOM}' where only latency counts" if option == "--calibration" else ""
        raise SeaformerError(
            f"{option}: there is no folder '{folder}'. Give a folder of photographs{other}."
        )
    return _data_set(folder, samples, task) or _photographs(folder, samples)


def network_inputs(
    images: Images, preprocessing: Preprocessing, size: tuple[int, int], inside: bool
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield images as the exported file takes them, float32 [1, 3, H, W].

    `size` is height and width; `inside` says whether the file normalises the image itself.

    Raises:
        SeaformerError: an image is damaged, or all are of one colour.
    """
    one_colour = 0
    for image, _ in images:
        x = prepare(image, preprocessing, size)
        one_colour += bool((x == x[:1, :1]).all())
        if not inside:
            x = normalize(x, preprocessing)
        yield np.ascontiguousarray(x.transpose(2, 0, 1)[None])
    if images.count and one_colour == images.count:
        raise SeaformerError(
            f"every image of {images.name} is of one colour throughout: ranges from them would "
            "fit no photograph. Give others with --calibration."
        )


def _scenes(samples: int) -> Calibration:
    def drawn(split: str, count: int) -> Images:
        scenes = ShapesDataset(split)
        return Images(f"{count} procedural scenes ({split})", count, scenes.__getitem__)

    validation = ShapesDataset("val")
    return Calibration(
        drawn("train", samples), drawn("val", len(validation)), validation.task.num_classes
    )


def _noise(samples: int) -> Images:
    def read(place: int) -> tuple[Image, None]:
        generator = np.random.default_rng(place)
        return generator.integers(0, 256, (512, 512, 3), dtype=np.uint8), None

    return Images(f"{samples} images of noise", samples, read)


def _data_set(folder: Path, samples: int, task: Task) -> Calibration | None:
    """Open the folder as a data set of the task, whose truth then gives the score; else None."""
    splits: dict[str, Dataset] = {}
    for split in ("train", "val"):
        try:
            splits[split] = open_dataset(folder, task, split)
        except SeaformerError:
            continue
    if not splits:
        return None
    whole = splits.get("train") or splits["val"]
    training, test = whole.spread(samples), splits.get("val") or whole
    used = {item.image: item for item in (*training.items, *test.items)}
    if faults := [fault.problem for item in used.values() if (fault := fault_of(item, task))]:
        raise SeaformerError(
            f"{len(faults)} of the {len(used)} images of '{folder}' cannot be used. Repair or "
            f"remove them: {listed(faults)}"
        )
    notes: tuple[str, ...] = ()
    if {item.image for item in whole.items} == {item.image for item in test.items}:
        notes = ("it is measured on the images that it was calibrated with: there are no others",)
    return Calibration(_of_data_set(training), _of_data_set(test), task.num_classes, notes=notes)


def _of_data_set(dataset: Dataset) -> Images:
    def read(place: int) -> tuple[Image, Truth]:
        item = dataset.items[place]
        is_mask = dataset.task.is_segmentation
        truth = read_mask(item, dataset.task) if is_mask else np.array(item.target)
        return read_image(item.image), truth

    count = len(dataset.items)
    return Images(f"{count} images of '{dataset.folder}' ({dataset.split})", count, read)


def _photographs(folder: Path, samples: int) -> Calibration:
    found = find_images(folder)
    if not found.paths:
        raise SeaformerError(
            f"there are no images in '{folder}'. Put photographs like those that the model will "
            f"see there: {', '.join(SUFFIXES)}. {found.skipped}".strip()
        )
    chosen = _spread(found.paths, samples)
    held_out = _spread(sorted(set(found.paths) - set(chosen)), TEST_IMAGES)
    problems = unreadable((*chosen, *held_out))
    chosen, held_out = ([p for p in paths if p not in problems] for paths in (chosen, held_out))
    skipped = found.skipped
    if problems:
        bad = (
            f"{len(problems)} image{'s' * (len(problems) > 1)} of '{folder}' cannot be read, and "
            f"the others are used: {listed(list(problems.values()))}"
        )
        skipped = f"{bad} {skipped}".strip()
    if not chosen:
        raise SeaformerError(f"no image of '{folder}' can be used. {skipped}")
    notes: tuple[str, ...] = ()
    if not held_out:
        notes = (
            "it is measured on the images that it was calibrated with: the folder has no others",
        )
    test = _of_files(held_out or chosen, folder)
    return Calibration(_of_files(chosen, folder), test, None, notes=notes, skipped=skipped)


def _spread(paths: Sequence[Path], most: int) -> list[Path]:
    """Choose from all over a folder: names often sort images by scene."""
    count = min(most, len(paths))
    return [paths[place * len(paths) // count] for place in range(count)]


def _of_files(paths: Sequence[Path], folder: Path) -> Images:
    def read(place: int) -> tuple[Image, None]:
        return read_image(paths[place]), None

    return Images(f"{len(paths)} photographs of '{folder}'", len(paths), read)
