"""Reading masks: from stored values to class indices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import UnidentifiedImageError

from seaformer.datasets.layouts import Item
from seaformer.errors import SeaformerError, UsageError
from seaformer.imaging.images import open_image
from seaformer.tasks import Task

IGNORED = 255
"""Class index of ignored pixels, whatever the data set stores for them."""

OFFSETS = (0, 1)
"""Usual stored values of the first class."""

_NO_CLASS = -1

_INDEX_MODES = ("1", "L", "P", "I;16", "I")

_EXIF_ORIENTATION = 0x0112
_FIRST_TRANSPOSED = 5

_LABEL_IDS = "_gtFine_labelIds.png"
_CITYSCAPES_IDS = (
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
)  # fmt: skip
"""The id for each trainId from 0. Source: mcordts/cityscapesScripts, helpers/labels.py."""
_CITYSCAPES_LAST_ID = 33


def read_mask(item: Item, task: Task) -> npt.NDArray[np.uint8]:
    """Read the class of every pixel of an image.

    A mask is a PNG with one number per pixel: gray, or with a palette, whose colors are ignored.
    `task.label_offset` and `task.ignore_index` define the meaning of the numbers, except in the
    `*_labelIds.png` of Cityscapes, which store the ids of the data set.

    Returns:
        uint8 [H, W], 0..`task.num_classes` - 1, and 255 for ignored pixels.

    Raises:
        UsageError: the item has no mask, or the task has more than 255 classes.
        SeaformerError: the file is missing, damaged or a color image, a value has no class, or
            mask and image differ in size.
    """
    if not isinstance(item.target, Path):
        raise UsageError(
            f"'{item.name}' has no mask: its data set is for classification or detection."
        )
    if task.num_classes > IGNORED:
        raise UsageError(f"task {task.name} has {task.num_classes} classes. Allowed: {IGNORED}.")
    stored, size = _read_indices(item.target), _upright_size(item.image)
    if stored.shape != size:
        is_rotated = stored.shape == size[::-1]
        raise SeaformerError(
            f"'{item.target}' has {stored.shape[1]} x {stored.shape[0]} pixels, but the image "
            f"'{item.image}' has {size[1]} x {size[0]}. "
            + (
                "Rotate one of them by 90 degrees."
                if is_rotated
                else "Is it the mask of another image?"
            )
        )
    if item.target.name.endswith(_LABEL_IDS):
        table = _classes_of_label_ids()
    else:
        table = _classes_of_stored(task)
    classes = _looked_up(stored, table)
    if (classes == _NO_CLASS).any():
        values = np.unique(stored[classes == _NO_CLASS])
        shown = ", ".join(str(value) for value in values[:5])
        more = f" and {len(values) - 5} more values" if len(values) > 5 else ""
        raise SeaformerError(
            f"'{item.target}' stores {shown}{more}, for which task {task.name} has no class. "
            f"Allowed: {_allowed(table)}.{_hint(stored, task)}"
        )
    return classes.astype(np.uint8)


def _read_indices(path: Path) -> npt.NDArray[np.integer]:
    try:
        with path.open("rb") as file, open_image(file, path, ("PNG",)) as image:
            if image.mode not in _INDEX_MODES:
                raise SeaformerError(
                    f"'{path}' is a color image (mode {image.mode}). Allowed: a PNG with one "
                    "class index per pixel, gray or with a palette."
                )
            indices = np.asarray(image)
    except SeaformerError:
        raise
    except FileNotFoundError as error:
        raise SeaformerError(f"there is no mask '{path}'.") from error
    except UnidentifiedImageError as error:
        raise SeaformerError(f"the mask '{path}' is not a PNG.") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders can raise any exception.
        raise SeaformerError(f"the mask '{path}' cannot be read: {error}.") from error
    return indices.astype(np.uint8) if indices.dtype == np.bool_ else indices


def _upright_size(path: Path) -> tuple[int, int]:
    """Return the height and width of `read_image`'s result, reading only the header."""
    try:
        with path.open("rb") as file, open_image(file, path) as image:
            is_transposed = image.getexif().get(_EXIF_ORIENTATION, 1) >= _FIRST_TRANSPOSED
            width, height = image.size
    except SeaformerError:
        raise
    except Exception as error:  # Pillow's decoders can raise any exception.
        raise SeaformerError(f"the image '{path}' cannot be read: {error}.") from error
    return (width, height) if is_transposed else (height, width)


def _classes_of_stored(task: Task) -> npt.NDArray[np.int16]:
    """Return the class of each stored value 0..256; the last one is for all values above 255."""
    classes = np.arange(257, dtype=np.int16) - task.label_offset
    classes[classes >= task.num_classes] = _NO_CLASS
    classes[: task.label_offset] = IGNORED
    if task.ignore_index is not None and task.ignore_index < len(classes):
        classes[task.ignore_index] = IGNORED
    return classes


def _hint(stored: npt.NDArray[np.integer], task: Task) -> str:
    """Suggest another label offset with which all values of a mask are valid; "" if none."""
    for offset in OFFSETS:
        table = _classes_of_stored(replace(task, label_offset=offset))
        if offset != task.label_offset and (_looked_up(stored, table) != _NO_CLASS).all():
            last = task.num_classes - 1 + offset
            return (
                f" All values fit offset {offset}: {offset}..{last} for the classes. Set "
                f'"label_offset": {offset} in the task in labels.json.'
            )
    return ""


def _looked_up(
    stored: npt.NDArray[np.integer], table: npt.NDArray[np.int16]
) -> npt.NDArray[np.int16]:
    """Look up the class of each stored value; larger values get the last entry of the table."""
    return table[np.minimum(stored.astype(np.int32), len(table) - 1)]


def _classes_of_label_ids() -> npt.NDArray[np.int16]:
    """Return the trainId of each Cityscapes id, in the form of `_classes_of_stored`."""
    classes = np.full(257, _NO_CLASS, dtype=np.int16)
    classes[: _CITYSCAPES_LAST_ID + 1] = IGNORED
    classes[list(_CITYSCAPES_IDS)] = np.arange(len(_CITYSCAPES_IDS))
    return classes


def ignored_values(task: Task) -> str:
    """Format the ignored values in masks of a task, such as "255"; "" if there are none."""
    return _ranges(np.flatnonzero(_classes_of_stored(task) == IGNORED))


def _allowed(table: npt.NDArray[np.int16]) -> str:
    """Format the stored values that are classes, and those that are ignored."""
    is_class = (table != _NO_CLASS) & (table != IGNORED)
    ignored = np.flatnonzero(table == IGNORED)
    text = f"{_ranges(np.flatnonzero(is_class))} for the classes"
    return f"{text}, {_ranges(ignored)} for pixels to ignore" if ignored.size else text


def _ranges(values: npt.NDArray[np.intp]) -> str:
    """Format 1, 2, 3, 7 as "1..3, 7"."""
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return ", ".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
