"""Reading annotations in COCO's format for object detection.

The format: https://cocodataset.org/#format-data, "Object Detection". A file has lists of
`images`, `annotations` and `categories`, which refer to each other by ids. All other members,
such as segmentations, are ignored.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from seaformer.datasets.boxes import Box, Boxes
from seaformer.errors import SeaformerError, quoted
from seaformer.files import read_limited
from seaformer.imaging.images import MAX_PIXELS
from seaformer.json_text import JsonError, parse_members
from seaformer.names import plain_name

MAX_BYTES = 2**30
"""Size limit of a file; the one for COCO's 118 287 training images has 450 MiB."""

SLACK_PIXELS = 1.0
"""Boxes may exceed the image by this much, because coordinates are rounded; they are clipped."""

_Id = Annotated[int, Field(ge=0, lt=2**53)]
_Side = Annotated[int, Field(ge=1, le=MAX_PIXELS)]
_Pixels = Annotated[float, Field(ge=-MAX_PIXELS, le=MAX_PIXELS)]
_Length = Annotated[float, Field(ge=0, le=MAX_PIXELS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class _Image(_Model):
    id: _Id
    file_name: str
    height: _Side
    width: _Side


class _Annotation(_Model):
    """An annotated object; `bbox` is left, top, width and height in pixels."""

    id: _Id
    image_id: _Id
    category_id: _Id
    bbox: tuple[_Pixels, _Pixels, _Length, _Length]
    area: _Length | None = None
    iscrowd: Annotated[int, Field(ge=0, le=1)] = 0


class _Category(_Model):
    id: _Id
    name: str


class _File(_Model):
    images: tuple[_Image, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...]


@dataclass(frozen=True)
class AnnotatedImage:
    """An image of a file: the parts of its relative path, and its objects."""

    parts: tuple[str, ...]
    objects: Boxes


class CocoFile:
    """A file in COCO's format, whose content was checked for consistency.

    Attributes:
        path: path of the file.
        categories: names of the categories, in ascending order of their ids.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            SeaformerError: it is missing, too large, not in this format or inconsistent; the
                message names the member and its value.
        """
        self.path = path
        try:
            self._content = parse_members(_File, read_limited(path, MAX_BYTES))
        except OSError as error:
            raise SeaformerError(f"cannot read '{path}': {error.strerror}.") from error
        except JsonError as error:
            raise self._error(str(error)) from error
        content = self._content
        for kind, rows in (
            ("image", content.images),
            ("annotation", content.annotations),
            ("category", content.categories),
        ):
            if (twice := _repeated(row.id for row in rows)) is not None:
                raise self._error(f"two entries have the {kind} id {twice}. Allowed: unique ids")
        ordered = sorted(content.categories, key=lambda category: category.id)
        self._ids = [category.id for category in ordered]
        self.categories = tuple(category.name.strip() for category in ordered)
        if (name := _repeated(self.categories)) is not None:
            raise self._error(f"two categories are called {quoted(name)}. Allowed: unique names")
        if (name := _repeated(image.file_name for image in content.images)) is not None:
            raise self._error(f"two images are called {quoted(name)}. Allowed: unique names")

    def images(self, labels: Sequence[str]) -> Iterator[AnnotatedImage]:
        """Yield the images, sorted by name; `labels` are the class names, by index.

        Raises:
            SeaformerError: a category is not a class, an annotation refers to an image or a
                category that the file does not have, a box is outside its image, or a file name
                leads out of the folder.
        """
        classes = self._classes(labels)
        images = {image.id: image for image in self._content.images}
        objects: dict[int, list[Box]] = {image: [] for image in images}
        for annotation in self._content.annotations:
            for kind, number, known in (
                ("image", annotation.image_id, images),
                ("category", annotation.category_id, classes),
            ):
                if number not in known:
                    raise self._error(
                        f"annotation {annotation.id} is of the {kind} {number}, which the file "
                        f"does not have. Allowed: the id of one of its {kind} entries"
                    )
            image = images[annotation.image_id]
            objects[image.id].append(self._box(annotation, image, classes[annotation.category_id]))
        for image in sorted(images.values(), key=lambda image: image.file_name):
            where = f"an image named in '{self.path}'"
            parts = tuple(plain_name(part, where) for part in image.file_name.split("/"))
            yield AnnotatedImage(
                parts, Boxes((image.height, image.width), tuple(objects[image.id]))
            )

    def _classes(self, labels: Sequence[str]) -> dict[int, int]:
        """Map the id of each category to the index of the class with the same name."""
        indices = {_folded(label): index for index, label in enumerate(labels)}
        for name in self.categories:
            if _folded(name) not in indices:
                raise self._error(
                    f"the category {quoted(name)} is not one of the {len(labels)} classes. "
                    f"Allowed: {', '.join(labels[:3])} and so on"
                )
        named = zip(self._ids, self.categories, strict=True)
        return {number: indices[_folded(name)] for number, name in named}

    def _box(self, annotation: _Annotation, image: _Image, class_index: int) -> Box:
        left, top, width, height = annotation.bbox
        right, bottom = left + width, top + height
        outside = max(-left, -top, right - image.width, bottom - image.height)
        if outside > SLACK_PIXELS:
            raise self._error(
                f"the bbox of annotation {annotation.id} is {list(annotation.bbox)}, which exceeds "
                f"its image of {image.width} x {image.height} pixels. Allowed: left, top, width "
                "and height inside the image"
            )
        corners = (
            min(max(left, 0.0), float(image.width)),
            min(max(top, 0.0), float(image.height)),
            min(max(right, 0.0), float(image.width)),
            min(max(bottom, 0.0), float(image.height)),
        )
        area = width * height if annotation.area is None else annotation.area
        return Box(*corners, class_index, area, bool(annotation.iscrowd))

    def _error(self, problem: str) -> SeaformerError:
        return SeaformerError(f"'{self.path}' cannot be used as COCO annotations: {problem}.")


def _folded(name: str) -> str:
    return name.strip().casefold()


def _repeated(values: Iterable[Any]) -> Any | None:
    """Return a value that occurs twice; None if all are unique."""
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
