"""Evaluation of models on a data set image by image, with bounded memory."""

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

from seaformer.datasets import Boxes, Dataset, Item, read_mask
from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.evaluation.models import Candidate
from seaformer.evaluation.paired_images import compare_images
from seaformer.evaluation.paired_scores import PairedScores
from seaformer.evaluation.progress import DATA_SET, ImageLine, ProgressFile, read_shard
from seaformer.evaluation.tally import (
    Counts,
    DetectionTally,
    Tally,
    count_guesses,
    count_masks,
    record_detections,
)
from seaformer.imaging.images import read_image


class BrokenImage(BaseModel, frozen=True):
    """An image that could not be read, or whose mask could not be read.

    Attributes:
        name: name of the image.
        problem: the error.
    """

    name: str
    problem: str


@dataclass(frozen=True)
class _Image:
    """A decoded image with its annotation, and the input for each model made from it.

    `stamp` is the result of `_stamp`, `size` is height and width.
    """

    name: str
    stamp: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    truth: npt.NDArray[np.uint8] | int | Boxes
    inputs: tuple[npt.NDArray[np.float32], ...]


class Evaluation:
    """The state of an evaluation: `done` of `total` images, `resumed` of them in earlier runs.

    `broken` images could not be evaluated. Each model has a tally: in `detections` for a detection
    task, and in `tallies` for all others.
    """

    def __init__(self, dataset: Dataset, models: Sequence[Candidate]) -> None:
        """Create an evaluation; the first of several models is the reference of the others."""
        self.total = len(dataset.items)
        self.done = self.resumed = 0
        self.broken: list[BrokenImage] = []
        classes, is_detection = dataset.task.num_classes, dataset.task.kind == "detection"
        self.tallies = (
            []
            if is_detection
            else [Tally(classes, is_compared=place > 0) for place in range(len(models))]
        )
        self.detections = [DetectionTally(classes) for _ in models] if is_detection else []
        self._of_models: Sequence[Tally | DetectionTally] = self.tallies or self.detections
        self._dataset = dataset
        self._models = models
        self._progress: Path | None = None

    def run(self, progress: Path, batch: int = 1) -> Iterator[None]:
        """Evaluate all images, and yield after each batch.

        Images in the progress file are not computed again unless their files have changed since.
        The file is created if it does not exist. Broken images are tried again. At most `batch`
        consecutive images of the same input size are computed at once.

        Raises:
            UsageError: the progress file belongs to a different run, or a model's output has an
                unexpected shape.
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
        """Check that at least one image was evaluated.

        Raises:
            SeaformerError: every image is broken.
        """
        if not self.done:
            raise SeaformerError(
                f"none of the {self.total} images can be used. The first: {self.broken[0].problem}"
            )

    def compare(self) -> list[PairedScores]:
        """Compare every model after the first with the first, after `run`; [] for one model.

        Not for detection, see `compare_detections`.
        """
        if len(self.tallies) <= 1 or self._progress is None:
            return []
        return compare_images(self._progress, self._dataset.task)

    def merge(self, progress: Path, shards: Sequence[Path]) -> None:
        """Merge the progress of other runs of the same models on shards of the data set.

        The shards may come from other computers, where files have other modification times: an
        image is merged if its files have the same sizes here.

        Args:
            progress: progress file of this run, created if it does not exist.
            shards: progress files of the other runs.

        Raises:
            UsageError: a shard belongs to other models, or has images that are not in the data set.
            SeaformerError: a shard is damaged or missing.
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
        """Return the description of this run; runs with equal descriptions may share progress."""
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
        """Add the images of earlier runs, and return their names."""
        items = {item.name: item for item in self._dataset.items}
        done: set[str] = set()
        for line in file.read():
            if line.name not in items:
                raise file.damaged(f"the data set has no image {quoted(line.name)}")
            if line.broken is not None or line.name in done:
                continue
            if line.stamp == _stamp(items[line.name]):
                if not self._takes(line.models):
                    raise file.damaged(f"the counts of {quoted(line.name)} do not fit the models")
                self._add(line)
                done.add(line.name)
        self.resumed = len(done)
        return done

    def _takes(self, counts: Sequence[Counts]) -> bool:
        return len(counts) == len(self._of_models) and all(
            tally.takes(one) for tally, one in zip(self._of_models, counts, strict=True)
        )

    def _add(self, line: ImageLine) -> None:
        self.done += 1
        for tally, counts in zip(self._of_models, line.models, strict=True):
            tally.add(line.name, counts)

    def _readable(self, items: Iterable[Item], file: ProgressFile) -> Iterator[_Image]:
        """Yield the images that can be read, and record the others as broken."""
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
        target = item.target
        if isinstance(target, Boxes):
            target.check_size(image, item.name)
        return _Image(
            name=item.name,
            stamp=stamp,
            size=(image.shape[0], image.shape[1]),
            truth=read_mask(item, self._dataset.task) if isinstance(target, Path) else target,
            inputs=tuple(model.prepare(image) for model in self._models),
        )

    def _compute(self, group: Sequence[_Image]) -> Iterator[ImageLine]:
        """Run the models on images of equal input sizes, and yield a line for each image."""
        sizes = [image.size for image in group]
        found: list[Sequence[Any]] = []
        for place, model in enumerate(self._models):
            inputs = np.stack([image.inputs[place] for image in group])
            if self._dataset.task.is_segmentation:
                found.append(model.masks(inputs, sizes))
            elif self.detections:
                found.append(model.detections(inputs, sizes))
            else:
                found.append(model.guesses(inputs))
        for image, *of_models in zip(group, *found, strict=True):
            yield ImageLine(
                name=image.name,
                stamp=image.stamp,
                models=tuple(self._count(image.truth, of_models)),
            )

    def _count(
        self, truth: npt.NDArray[np.uint8] | int | Boxes, found: Sequence[Any]
    ) -> list[Counts]:
        if isinstance(truth, Boxes):
            return record_detections(found)
        if isinstance(truth, int):
            return count_guesses(truth, found)
        return count_masks(truth, found, self._dataset.task.num_classes)


def _groups(images: Iterable[_Image], most: int) -> Iterator[list[_Image]]:
    """Group up to `most` consecutive images whose inputs have the same sizes."""
    for _, alike in groupby(images, lambda image: [x.shape for x in image.inputs]):
        while group := list(islice(alike, most)):
            yield group


def _stamp(item: Item) -> tuple[tuple[int, int], ...]:
    """Return the size and modification time of an item's files, to detect changes."""
    paths = [item.image] + ([item.target] if isinstance(item.target, Path) else [])
    stats = [path.stat() for path in paths if path.exists()]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)
