"""Selecting images of a data set for an evaluation."""

from pathlib import Path

from seaformer.datasets.dataset import Dataset
from seaformer.datasets.image_names import read_names


def selected(
    whole: Dataset,
    names: Path | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
) -> Dataset:
    """Return the images of a data set that are to be evaluated.

    Args:
        whole: the data set.
        names: JSON list with the names of the images; None for all.
        limit: size of an evenly spaced subset of those; None for all.
        shard: number of the shard, from 1, and number of shards of that subset; None for all of it.

    Raises:
        UsageError: the list cannot be read, or names an image that the data set does not have.
    """
    dataset = whole if names is None else whole.only(read_names(names))
    dataset = dataset if limit is None else dataset.spread(limit)
    return dataset if shard is None else dataset.shard(*shard)
