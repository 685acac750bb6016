"""Whether images are scored that a model was trained on."""

import shlex
from pathlib import Path

from seaformer.datasets import Dataset
from seaformer.datasets.image_names import HELD_OUT, read_names
from seaformer.errors import SeaformerError


def training_note(model: Path, dataset: Dataset, whole: Dataset) -> str:
    """Say that a checkpoint in the folder of its run is scored on images it was trained on.

    Args:
        model: path of the checkpoint; its run held out images of a data set without splits.
        dataset: the images to score.
        whole: the data set that they are of.

    Returns:
        A sentence; empty if nothing is known or no such image is scored.
    """
    path = model.parent / HELD_OUT
    if whole.has_splits or not model.is_file() or not path.is_file():
        return ""
    try:
        held_out = frozenset(read_names(path))
    except SeaformerError:  # of whoever else
        return ""
    trained_on = sum(item.name not in held_out for item in dataset.items)
    if not trained_on or not held_out <= {item.name for item in whole.items}:
        return ""
    return (
        f"Scored images that it was trained on: {trained_on} of {len(dataset.items)}. Those that "
        f"its training held out alone: --images {shlex.quote(str(path))}."
    )


def split_note(dataset: Dataset) -> str:
    """Say of a data set without splits that all of it is scored; else ""."""
    if dataset.has_splits:
        return ""
    return (
        f"'{dataset.folder}' has no folders of splits: all images are scored, also those that a "
        f"model was trained on. Give --images FILE, such as the {HELD_OUT} of a training run, to "
        "take some."
    )
