"""Images for quantization: some for calibration, others for measuring the accuracy.

Activation ranges must come from images like those that the model will see. The noise of `random` is
for files of which only the latency matters; the metadata of the files records it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.datasets import Dataset, fault_of, open_dataset, read_mask
from seaformer.datasets.shapes import DETECTION_TASK, ShapesDataset
from seaformer.datasets.shapes import TASK as SHAPES
from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.image_files import SUFFIXES, find_images, listed
from seaformer.imaging.images import read_image, unreadable
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.tasks import Preprocessing, Task

RANDOM = "random"
"""The value of --calibration that does not name a folder."""

DRAWN = (SHAPES, DETECTION_TASK)
"""Tasks that have procedural scenes."""

FEW_SAMPLES = 100
"""With fewer images, the command warns."""

TEST_IMAGES = 100
"""Maximum number of images held out of a folder of photos."""

Image = npt.NDArray[np.uint8]
Truth = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Images:
    """Images that are read on demand.

    Attributes:
        name: description for messages.
        count: number of images.
        read: returns the image at an index, uint8 [H, W, 3] RGB, and its ground truth: the class
            of each pixel, [H, W] with `seaformer.datasets.IGNORED` for ignored pixels, or in
            classification the class of the image, []; None if unknown.
    """

    name: str
    count: int
    read: Callable[[int], tuple[Image, Truth | None]]

    def __iter__(self) -> Iterator[tuple[Image, Truth | None]]:
        return (self.read(place) for place in range(self.count))


@dataclass(frozen=True)
class Calibration:
    """Images for calibration and for measuring the quantized files.

    Attributes:
        images: images for calibration.
        test: images for measuring; None for noise, on which measuring is meaningless.
        classes: number of classes of the ground truth in `test`; None without ground truth.
        is_random: whether the images are noise.
        notes: warnings for the user.
        skipped: message about the files of the folder that are not used; "" for none.
    """

    images: Images
    test: Images | None
    classes: int | None
    is_random: bool = False
    notes: tuple[str, ...] = ()
    skipped: str = ""


def open_calibration(where: str | None, samples: int, task: Task) -> Calibration:
    """Open at most `samples` images; unreadable images of a folder of photos are skipped.

    `where` is a folder of photos, the folder of a data set in a layout of the task, "random", or
    None for the procedural scenes of a task in `DRAWN`.

    Raises:
        UsageError: `where` is None and the task has no procedural scenes, or `samples` is not
            positive.
        SeaformerError: the folder is missing, has no readable images, or is a data set with
            damaged images.
    """
    if samples < 1:
        raise UsageError(f"--calibration-samples is {samples}. Allowed: 1 or more.")
    if where is None:
        if task.name not in DRAWN:
            raise UsageError(
                f"an integer precision needs images like those that the model will see, and task "
                f"'{task.name}' does not provide any. Give a folder of a few hundred photos "
                f"with --calibration DIR (or '--calibration {RANDOM}' if only latency matters)."
            )
        return _scenes(samples, task)
    if where == RANDOM:
        return Calibration(_noise(samples), None, None, is_random=True)
    found = open_folder(where, samples, task, "--calibration")
    count = found.images.count
    if count >= FEW_SAMPLES:
        return found
    few = (
        f"{count} {'image is' if count == 1 else 'images are'} too few for a reliable calibration: "
        f"use {FEW_SAMPLES} or more. Add images, or raise --calibration-samples."
    )
    return replace(found, notes=(*found.notes, few))


def open_folder(where: str, samples: int, task: Task, option: str) -> Calibration:
    """Open a folder of photos, or of a data set of the task; `option` is the option that names it.

    Raises:
        SeaformerError: the folder is missing or has no images.
    """
    folder = Path(where)
    if not folder.is_dir():
        other = f", or '{RANDOM}' if only latency matters" if option == "--calibration" else ""
        raise SeaformerError(
            f"{option}: there is no folder '{folder}'. Give a folder of photos{other}."
        )
    return _data_set(folder, samples, task) or _photographs(folder, samples)


def network_inputs(
    images: Images, preprocessing: Preprocessing, size: tuple[int, int], inside: bool
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield images preprocessed for the exported file, float32 [1, 3, H, W].

    `size` is height and width; `inside` is whether the file normalizes the image itself.

    Raises:
        SeaformerError: an image is damaged, or every image has a single color.
    """
    one_color = 0
    for image, _ in images:
        x = prepare(image, preprocessing, size)
        one_color += bool((x == x[:1, :1]).all())
        if not inside:
            x = normalize(x, preprocessing)
        yield np.ascontiguousarray(x.transpose(2, 0, 1)[None])
    if images.count and one_color == images.count:
        raise SeaformerError(
            f"every image of {images.name} has a single color: ranges from them would fit no "
            "photo. Give other images with --calibration."
        )


def _scenes(samples: int, task: Task) -> Calibration:
    def drawn(split: str, count: int) -> Images:
        scenes = ShapesDataset(split)
        return Images(f"{count} procedural scenes ({split})", count, scenes.__getitem__)

    # The scenes have masks; boxes would give no score here.
    classes = task.num_classes if task.name == SHAPES else None
    return Calibration(drawn("train", samples), drawn("val", len(ShapesDataset("val"))), classes)


def _noise(samples: int) -> Images:
    def read(place: int) -> tuple[Image, None]:
        generator = np.random.default_rng(place)
        return generator.integers(0, 256, (512, 512, 3), dtype=np.uint8), None

    return Images(f"{samples} images of noise", samples, read)


def _data_set(folder: Path, samples: int, task: Task) -> Calibration | None:
    """Open the folder as a data set of the task, whose ground truth gives the score; else None."""
    if task.kind == "detection":
        return None  # its images are used like any other photos
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
            f"{len(faults)} of the {len(used)} images of '{folder}' cannot be used. Fix or remove "
            f"them: {listed(faults)}"
        )
    notes: tuple[str, ...] = ()
    if {item.image for item in whole.items} == {item.image for item in test.items}:
        notes = ("the accuracy is measured on the calibration images: there are no others",)
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
            f"there are no images in '{folder}'. It needs photos like those that the model will "
            f"see, as {', '.join(SUFFIXES)}. {found.skipped}".strip()
        )
    chosen = _spread(found.paths, samples)
    held_out = _spread(sorted(set(found.paths) - set(chosen)), TEST_IMAGES)
    problems = unreadable((*chosen, *held_out))
    chosen, held_out = ([p for p in paths if p not in problems] for paths in (chosen, held_out))
    skipped = found.skipped
    if problems:
        bad = (
            f"{len(problems)} image{'s' * (len(problems) > 1)} of '{folder}' cannot be read and "
            f"will be skipped: {listed(list(problems.values()))}"
        )
        skipped = f"{bad} {skipped}".strip()
    if not chosen:
        raise SeaformerError(f"no image of '{folder}' can be used. {skipped}")
    notes: tuple[str, ...] = ()
    if not held_out:
        notes = ("the accuracy is measured on the calibration images: the folder has no others",)
    test = _of_files(held_out or chosen, folder)
    return Calibration(_of_files(chosen, folder), test, None, notes=notes, skipped=skipped)


def _spread(paths: Sequence[Path], most: int) -> list[Path]:
    """Choose evenly spaced files of a folder: names often sort images by scene."""
    count = min(most, len(paths))
    return [paths[place * len(paths) // count] for place in range(count)]


def _of_files(paths: Sequence[Path], folder: Path) -> Images:
    def read(place: int) -> tuple[Image, None]:
        return read_image(paths[place]), None

    return Images(f"{len(paths)} photos in '{folder}'", len(paths), read)
