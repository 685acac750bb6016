"""Notes on scored images that a model may have been trained on."""

import shlex
from pathlib import Path

from seaformer.datasets import Dataset
from seaformer.datasets.image_names import HELD_OUT, read_names
from seaformer.errors import SeaformerError


def training_note(model: Path, dataset: Dataset, whole: Dataset) -> str:
    """Return a note if a checkpoint is scored on images that it was trained on.

    Args:
        model: path of the checkpoint, in the folder of a training run that held out images of a
            data set without splits.
        dataset: the images to score.
        whole: the whole data set.

    Returns:
        The note; empty if there is no such image or no record of the training.
    """
    path = model.parent / HELD_OUT
    if whole.has_splits or not model.is_file() or not path.is_file():
        return ""
    try:
        held_out = frozenset(read_names(path))
    except SeaformerError:  # the file is not from a training run
        return ""
    trained_on = sum(item.name not in held_out for item in dataset.items)
    if not trained_on or not held_out <= {item.name for item in whole.items}:
        return ""
    return (
        f"The model was trained on {trained_on} of the {len(dataset.items)} scored images. To "
        f"score only those that its training held out: --images {shlex.quote(str(path))}."
    )


def split_note(dataset: Dataset) -> str:
    """Return a note that all of a data set without splits is scored; "" if it has splits."""
    if dataset.has_splits:
        return ""
    return (
        f"'{dataset.folder}' has no split folders: all images are scored, including those that a "
        f"model was trained on. To select images, give --images FILE, such as the {HELD_OUT} of a "
        "training run."
    )
