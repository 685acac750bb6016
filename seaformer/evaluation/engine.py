"""Evaluating models on a data set image by image, in memory that does not grow with it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from seaformer.datasets import Dataset, Item, read_mask
from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.evaluation.models import Candidate
from seaformer.evaluation.paired_images import compare_images
from seaformer.evaluation.paired_scores import PairedScores
from seaformer.evaluation.progress import DATA_SET, ImageLine, ProgressFile, read_shard
from seaformer.evaluation.tally import Counts, Tally, count_guesses, count_masks
from seaformer.imaging.images import read_image


class BrokenImage(BaseModel, frozen=True):
    """An image that could not be read, or whose mask could not; `problem` is a sentence."""

    name: str
    problem: str


@dataclass(frozen=True)
class _Image:
    """An image that was read, its mask or its class, and the input that it makes for each model.

    `stamp` is as `_stamp` returns it, `size` is height and width.
    """

    name: str
    stamp: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    truth: npt.NDArray[np.uint8] | int
    inputs: tuple[npt.NDArray[np.float32], ...]


class Evaluation:
    """The state of an evaluation: `done` of `total` images, of which `resumed` before this run.

    `broken` images could not be evaluated; there is a tally for each model.
    """

    def __init__(self, dataset: Dataset, models: Sequence[Candidate]) -> None:
        """Start with nothing evaluated; the first of several models is the others' reference."""
        self.total = len(dataset.items)
        self.done = self.resumed = 0
        self.broken: list[BrokenImage] = []
        self.tallies = [
            Tally(dataset.task.num_classes, is_compared=place > 0) for place in range(len(models))
        ]
        self._dataset = dataset
        self._models = models
        self._progress: Path | None = None

    def run(self, progress: Path, batch: int = 1) -> Iterator[None]:
        """Evaluate all images, and yield after every few.

        What the progress file has, which is started if it is not there, is not computed again,
        unless the files of the image changed since. Broken images are tried again. At most
        `batch` images are computed at once: neighbours of the same input size.

        Raises:
            UsageError: the progress file is of another run, or a model's output has another shape.
            SeaformerError: a model fails.
        """
        self._progress = progress
        with closing(ProgressFile(progress, self._identity())) as file:
            done = self._resume(file)
            yield
            left = (item for item in self._dataset.items if item.name not in done)
            for group in _groups(self._readable(left, file), batch):
                for line in self._compute(group):
                    file.append(line)
                    self._add(line)
                yield

    def require_images(self) -> None:
        """Check that there is something to score.

        Raises:
            SeaformerError: every image is broken.
        """
        if not self.done:
            raise SeaformerError(
                f"none of the {self.total} images can be used. The first: {self.broken[0].problem}"
            )

    def compare(self) -> list[PairedScores]:
        """Compare every model but the first with that, after `run`; none without a reference."""
        if len(self.tallies) == 1 or self._progress is None:
            return []
        return compare_images(self._progress, self._dataset.task)

    def merge(self, progress: Path, shards: Sequence[Path]) -> None:
        """Take over what other runs of the same models did of parts of the data set.

        They may be of another computer, where the files have other times: an image is taken over
        if its files have the same sizes here.

        Args:
            progress: the file of this run, which is started if it is not there.
            shards: those of the others.

        Raises:
            UsageError: one is of other models, or of images that the data set does not have.
            SeaformerError: one is damaged or not there.
        """
        run, items = self._identity(), {item.name: item for item in self._dataset.items}
        with closing(ProgressFile(progress, run)) as file:
            known = {line.name for line in file.read()}
            for shard in shards:
                for line in read_shard(shard, run):
                    if line.broken is not None:
                        continue
                    if line.name not in items:
                        raise UsageError(
                            f"'{shard}' has an image {quoted(line.name)}, which the data set "
                            "does not have. Give the same --data and --limit as for the shard."
                        )
                    stamp = _stamp(items[line.name])
                    same = [size for size, _ in stamp] == [size for size, _ in line.stamp]
                    if same and line.name not in known:
                        file.append(line.model_copy(update={"stamp": stamp}))

    def _identity(self) -> dict[str, Any]:
        """Return what makes two runs the same."""
        names = "\n".join(item.name for item in self._dataset.items)
        accelerated = [model.accelerated_by for model in self._models]
        return ({"accelerators": accelerated} if any(accelerated) else {}) | {
            "models": [[model.path.name, model.sha256] for model in self._models],
            "protocol": [
                [model.protocol.name, model.protocol.description] for model in self._models
            ],
            "task": self._dataset.task.to_json(),
            DATA_SET: [self._dataset.layout, self.total, sha256(os.fsencode(names)).hexdigest()],
        }

    def _resume(self, file: ProgressFile) -> set[str]:
        """Add what was done before, and return the names of these images."""
        items = {item.name: item for item in self._dataset.items}
        done: set[str] = set()
        for line in file.read():
            if line.name not in items:
                raise file.damaged(f"there is no image {quoted(line.name)}")
            if line.broken is not None or line.name in done:
                continue
            if line.stamp == _stamp(items[line.name]):
                if not self._takes(line.models):
                    raise file.damaged(f"the counts of {quoted(line.name)} are of other models")
                self._add(line)
                done.add(line.name)
        self.resumed = len(done)
        return done

    def _takes(self, counts: Sequence[Counts]) -> bool:
        return len(counts) == len(self.tallies) and all(
            tally.takes(one) for tally, one in zip(self.tallies, counts, strict=True)
        )

    def _add(self, line: ImageLine) -> None:
        self.done += 1
        for tally, counts in zip(self.tallies, line.models, strict=True):
            tally.add(line.name, counts)

    def _readable(self, items: Iterable[Item], file: ProgressFile) -> Iterator[_Image]:
        """Yield the images that can be read, and note down the others."""
        for item in items:
            try:
                yield self._read(item)
            except UsageError:
                raise
            except SeaformerError as error:
                self.broken.append(BrokenImage(name=item.name, problem=str(error)))
                file.append(ImageLine(name=item.name, broken=str(error)))

    def _read(self, item: Item) -> _Image:
        stamp = _stamp(item)
        image = read_image(item.image)
        truth = item.target
        return _Image(
            name=item.name,
            stamp=stamp,
            size=(image.shape[0], image.shape[1]),
            truth=truth if isinstance(truth, int) else read_mask(item, self._dataset.task),
            inputs=tuple(model.prepare(image) for model in self._models),
        )

    def _compute(self, group: Sequence[_Image]) -> Iterator[ImageLine]:
        """Run the models on images of equal input sizes, and yield the line of each image."""
        sizes = [image.size for image in group]
        found: list[Sequence[Any]] = []
        for place, model in enumerate(self._models):
            inputs = np.stack([image.inputs[place] for image in group])
            if self._dataset.task.is_segmentation:
                found.append(model.masks(inputs, sizes))
            else:
                found.append(model.guesses(inputs))
        for image, *of_models in zip(group, *found, strict=True):
            yield ImageLine(
                name=image.name,
                stamp=image.stamp,
                models=tuple(self._count(image.truth, of_models)),
            )

    def _count(self, truth: npt.NDArray[np.uint8] | int, found: Sequence[Any]) -> list[Counts]:
        if isinstance(truth, int):
            return count_guesses(truth, found)
        return count_masks(truth, found, self._dataset.task.num_classes)


def _groups(images: Iterable[_Image], most: int) -> Iterator[list[_Image]]:
    """Group up to `most` neighbours whose inputs have the same sizes."""
    for _, alike in groupby(images, lambda image: [x.shape for x in image.inputs]):
        while group := list(islice(alike, most)):
            yield group


def _stamp(item: Item) -> tuple[tuple[int, int], ...]:
    """Return size and time of the files of an item, by which a change is noticed."""
    paths = [item.image] + ([item.target] if isinstance(item.target, Path) else [])
    stats = [path.stat() for path in paths if path.exists()]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)
