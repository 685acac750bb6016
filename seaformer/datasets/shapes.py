"""A procedural data set: seeded scenes of overlapping shapes, with class masks or with boxes.

A scene consists of a wall and usually a floor, with overlapping shapes, patterned panels, wires and
dots, with shading and shadows. Colors are random and independent of the class: "disc" to "star"
differ in outline, "stripes" and "checks" in pattern regardless of outline, "wire" is thin, "dot" is
small, and "floor" is everything below the horizon. Wall and floor take most of the pixels; wires,
dots and stars take few.

A scene depends only on its seed, index and size, and is the same on every machine: NumPy guarantees
that the stream of `RandomState` never changes. Different last digits of sine and cosine, or
different rounding in Pillow, could change a pixel value by one.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seaformer.datasets.boxes import Box, Boxes
from seaformer.errors import UsageError, unknown_name
from seaformer.files import atomic_write, write_text
from seaformer.tasks import Task, get_task

TASK = "shapes"
DETECTION_TASK = "shapes-detection"

SIZE = (256, 256)
"""Default height and width of scenes, in pixels."""

SPLITS = {"train": 1_000_000, "val": 500}
"""Number of scenes in each split. A million is more than any training run uses."""

_SMALLEST_SIDE = 32

_MIN_VISIBLE = 0.25
"""Minimum visible share of an object with a box."""

_MIN_SIDE = 1 / 64
"""Objects have no box if fewer pixels of them are visible than in a square with this share of the
scene's shorter side."""

_WALL, _FLOOR, _DISC, _SQUARE, _TRIANGLE, _RING, _CROSS, _STAR, _STRIPES, _CHECKS, _WIRE, _DOT = (
    range(12)
)

# Frequency of each class among the objects, from `_DISC` to `_DOT`, in percent. Deliberately
# uneven, as in photos.
_FREQUENCIES = (18, 18, 13, 9, 9, 6, 10, 6, 6, 5)
_CLASSES = np.repeat(range(_DISC, _DOT + 1), _FREQUENCIES)

_Floats = npt.NDArray[np.float32]
_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ShapesDataset:
    """The scenes of the split "train" or "val", drawn on demand.

    `size` is height and width in pixels; each seed gives a different data set.
    """

    split: str = "train"
    size: tuple[int, int] = SIZE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise unknown_name("split", self.split, SPLITS)
        _check_size(self.size)

    @property
    def task(self) -> Task:
        """The task "shapes": labels, palette, preprocessing."""
        return get_task(TASK)

    def __len__(self) -> int:
        return SPLITS[self.split]

    def __getitem__(self, index: int) -> tuple[_Bytes, _Bytes]:
        """Draw a scene: uint8 [H, W, 3] RGB and uint8 [H, W] class indices 0..11."""
        self._check(index)
        return render(self._seed, index, self.size)

    @property
    def _seed(self) -> int:
        # Each split has its own seed, so the splits never share a scene.
        return 2 * self.seed + list(SPLITS).index(self.split)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"scene {index} of {len(self)}")


class ShapesWithBoxes(ShapesDataset):
    """The same scenes for detection: with the boxes of the objects that are classes of the task."""

    @property
    def task(self) -> Task:
        """The task "shapes-detection"."""
        return get_task(DETECTION_TASK)

    def __getitem__(self, index: int) -> tuple[_Bytes, Boxes]:  # type: ignore[override]
        """Draw a scene: uint8 [H, W, 3] RGB, and its boxes."""
        self._check(index)
        return render_boxes(self._seed, index, self.size)


def render(seed: int, index: int, size: tuple[int, int] = SIZE) -> tuple[_Bytes, _Bytes]:
    """Draw the scene for a seed and an index, both 0..2**32 - 1.

    `size` is height and width in pixels, each at least 32. Other sizes show the same objects at the
    same relative positions, scaled with the shorter side; grain and texture differ.

    Returns:
        The image, uint8 [H, W, 3], RGB, and the class of each pixel, uint8 [H, W], 0..11.

    Raises:
        UsageError: `size` is too small.
    """
    _check_size(size)
    scene = _Scene(np.random.RandomState([seed, index]), size)
    return scene.image(), scene.mask


def render_boxes(seed: int, index: int, size: tuple[int, int] = SIZE) -> tuple[_Bytes, Boxes]:
    """Draw the scene of `render` with the boxes of its objects, in the order in which it is drawn.

    A box contains the visible pixels of an object. Objects that are mostly hidden have none.

    Returns:
        The image, uint8 [H, W, 3], RGB, and the boxes, with the classes of "shapes-detection".

    Raises:
        UsageError: `size` is too small.
    """
    _check_size(size)
    scene = _Scene(np.random.RandomState([seed, index]), size)
    return scene.image(), Boxes(size, tuple(scene.boxes()))


def write(
    folder: Path, count: int, *, validation: int, size: tuple[int, int] = SIZE, seed: int = 0
) -> None:
    """Write scenes to disk in the plain layout, which every command reads.

    The layout is `images/<split>/*.png` and `masks/<split>/*.png` with the splits "train" and
    "val", and `labels.json`, the task.

    The folder is created if it is missing; files of the same name are replaced. `count` is the
    number of training scenes, at least 1, `validation` the number of validation scenes, 1..500.

    Raises:
        UsageError: a count or the size is out of range.
        OSError: a file cannot be written.
    """
    for split, wanted in _checked_counts(count, validation).items():
        scenes = ShapesDataset(split, size, seed)
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
        for index in range(wanted):
            for kind, pixels in zip(("images", "masks"), scenes[index], strict=True):
                _save(pixels, folder / kind / split / f"{index:06}.png")
    write_text(folder / "labels.json", json.dumps(get_task(TASK).to_json(), indent=2))


def write_coco(
    folder: Path, count: int, *, validation: int, size: tuple[int, int] = SIZE, seed: int = 0
) -> None:
    """Write scenes with boxes to disk in COCO's layout and format.

    The layout is `<split>2017/*.png` and `annotations/instances_<split>2017.json`. The arguments,
    and the errors, are those of `write`.
    """
    labels = get_task(DETECTION_TASK).labels
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for split, wanted in _checked_counts(count, validation).items():
        images: list[dict[str, object]] = []
        annotations: list[dict[str, object]] = []
        (folder / f"{split}2017").mkdir(exist_ok=True)
        scenes = ShapesWithBoxes(split, size, seed)
        for index in range(wanted):
            pixels, objects = scenes[index]
            name = f"{index:06}.png"
            _save(pixels, folder / f"{split}2017" / name)
            images.append({"id": index + 1, "file_name": name, "height": size[0], "width": size[1]})
            annotations += [
                {
                    "id": len(annotations) + place,
                    "image_id": index + 1,
                    "category_id": box.class_index + 1,
                    "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
                    "area": box.area,
                    "iscrowd": 0,
                }
                for place, box in enumerate(objects.boxes, start=1)
            ]
        categories = [{"id": place, "name": name} for place, name in enumerate(labels, start=1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_text(folder / "annotations" / f"instances_{split}2017.json", json.dumps(content))


def _checked_counts(count: int, validation: int) -> dict[str, int]:
    """Return the number of scenes to write of each split, or raise UsageError."""
    counts = {"train": count, "val": validation}
    for split, wanted in counts.items():
        if not 1 <= wanted <= SPLITS[split]:
            raise UsageError(f"{wanted} scenes for {split}. Allowed: 1..{SPLITS[split]}.")
    return counts


def _save(pixels: _Bytes, path: Path) -> None:
    with atomic_write(path) as draft:
        Image.fromarray(pixels).save(draft, compress_level=1)


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < _SMALLEST_SIDE:
        raise UsageError(
            f"scenes have {size[0]} x {size[1]} pixels. Allowed: at least {_SMALLEST_SIDE} x "
            f"{_SMALLEST_SIDE}."
        )


class _Scene:
    """A scene being drawn: `colors` float32 [3, H, W], 0..255, and `mask` uint8 [H, W].

    Each object has a number from 1: `objects` int16 [H, W] is that of the visible object at each
    pixel, or 0; `drawn` has the class and the pixels, including hidden ones, of every object.
    """

    def __init__(self, random: np.random.RandomState, size: tuple[int, int]) -> None:
        self.random = random
        self.height, self.width = size
        self.unit = min(size)
        self.mask: _Bytes = np.full(size, _WALL, np.uint8)
        self.objects = np.zeros(size, np.int16)
        self.drawn: list[tuple[int, int]] = []
        self.colors = self._surface(grid=5, contrast=45)
        angle = random.uniform(0, 2 * math.pi)
        self.light = np.array([math.cos(angle), math.sin(angle)], np.float32)
        if random.rand() < 0.8:
            self._floor()
        for kind in random.choice(_CLASSES, random.randint(8, 19)):
            if kind == _WIRE:
                self._wire()
            elif kind == _DOT:
                self._dots()
            else:
                self._shape(int(kind))
        # Grain is drawn last, so that everything else is the same at every size.
        strength = random.uniform(8, 45)
        grain = np.frombuffer(random.bytes(self.colors.size), np.uint8).astype(np.float32)
        grain -= np.float32(127.5)
        grain *= np.float32(strength / 127.5)
        self.colors += grain.reshape(self.colors.shape)

    def image(self) -> _Bytes:
        pixels = np.clip(self.colors, 0, 255, out=self.colors).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))

    def boxes(self) -> Iterator[Box]:
        """Yield the boxes of the objects that are visible enough."""
        classes = {name: index for index, name in enumerate(get_task(DETECTION_TASK).labels)}
        names = get_task(TASK).labels
        for number, (kind, pixels) in enumerate(self.drawn, start=1):
            rows, columns = np.nonzero(self.objects == number)
            least = max(_MIN_VISIBLE * pixels, (_MIN_SIDE * self.unit) ** 2)
            if len(rows) >= least and names[kind] in classes:
                corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                left, top, right, bottom = map(float, corners)
                yield Box(left, top, right, bottom, classes[names[kind]], float(len(rows)))

    def _color(self) -> _Floats:
        return self.random.uniform(15, 240, (3, 1, 1)).astype(np.float32)

    def _surface(self, grid: int, contrast: float) -> _Floats:
        """Return a color with smooth variations, float32 [3, H, W]."""
        clouds = np.frombuffer(self.random.bytes(3 * grid * grid), np.uint8)
        size = (self.width, self.height)
        coarse = Image.fromarray(clouds.reshape(grid, grid, 3))
        smooth = coarse.resize(size, Image.Resampling.BICUBIC)
        strength = np.float32(self.random.uniform(0.3, 1) * contrast / 128)
        surface = np.asarray(smooth).transpose(2, 0, 1).astype(np.float32, order="C")
        surface *= strength
        surface += self._color() - 128 * strength
        return surface

    def _floor(self) -> None:
        """Draw the floor below a possibly sloping horizon: another color with finer variations."""
        left, right = self.random.uniform(0.35, 0.85, 2) * self.height
        surface = self._surface(grid=40, contrast=90)
        horizon = np.linspace(left, right, self.width)
        below = np.arange(self.height)[:, None] >= horizon
        np.copyto(self.colors, surface, where=below)
        self.mask[below] = _FLOOR

    def _shape(self, kind: int) -> None:
        random = self.random
        center = random.uniform(0, 1, 2) * (self.width, self.height)
        radius = self.unit * 0.05 * 5 ** random.rand()
        angle = random.uniform(0, 2 * math.pi)
        aspect = random.uniform(0.7, 1)
        outline = random.choice((_DISC, _SQUARE)) if kind in (_STRIPES, _CHECKS) else kind
        # All classes draw the same random numbers, even if they do not use them.
        pattern_angle, period, fill = random.uniform(0, 1, 3)
        transform = np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        ) * [[radius], [radius * aspect]]
        rings = [points @ transform for points in _OUTLINES[outline]]
        if kind == _RING:
            rings.append(rings[0] * (0.45 + 0.25 * fill))
        box = self._box(center, rings[0])
        if box is None:
            return
        left, top, right, bottom = box
        coverage = _fill([ring + center for ring in rings], box)
        y, x = np.ogrid[top:bottom, left:right]
        x, y = (x - center[0]).astype(np.float32), (y - center[1]).astype(np.float32)
        color = self._contrasting(center)
        shade = 1 + np.float32(random.uniform(0, 0.4) / radius) * (
            self.light[0] * x + self.light[1] * y
        )
        texture = color * shade
        if kind in (_STRIPES, _CHECKS):
            step = 2 * math.pi / (self.unit * (0.03 + 0.03 * period))
            cos, sin = (np.float32(step * f(2 * math.pi * pattern_angle)) for f in (np.cos, np.sin))
            wave = np.sin(cos * x + sin * y)
            if kind == _CHECKS:
                wave = wave * np.sin(cos * y - sin * x)
            other = self._contrasting(center, than=color)
            texture = np.where(wave > 0, texture, other * shade)
        self._cast_shadow(coverage, box, radius)
        self._lay(texture, coverage, box, kind)

    def _wire(self) -> None:
        """Draw a thin curve."""
        random = self.random
        points = random.uniform(-0.1, 1.1, (3, 2)) * (self.width, self.height)
        time = np.linspace(0, 1, 24)[:, None]
        curve = (
            (1 - time) ** 2 * points[0] + 2 * time * (1 - time) * points[1] + time**2 * points[2]
        )
        thickness = self.unit * random.uniform(0.012, 0.024)
        color = self._contrasting(points[1].clip(0))
        if (box := self._box(np.zeros(2), curve)) is None:
            return
        left, top, right, bottom = box
        canvas = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
        ImageDraw.Draw(canvas).line(
            (2 * (curve - (left, top))).ravel().tolist(),
            fill=255,
            width=max(2, round(2 * thickness)),
        )
        self._lay(color, np.asarray(canvas.reduce(2)), box, _WIRE)

    def _dots(self) -> None:
        """Draw a few small discs of one color, close together."""
        random = self.random
        middle = random.uniform(0.1, 0.9, 2) * (self.width, self.height)
        color = self._contrasting(middle)
        count = random.randint(3, 9)
        places = middle + random.uniform(-0.15, 0.15, (count, 2)) * self.unit
        radii = random.uniform(0.014, 0.03, count) * self.unit
        for place, radius in zip(places, radii, strict=True):
            ring = _OUTLINES[_DISC][0] * radius
            box = self._box(place, ring)
            if box is not None:
                self._lay(color, _fill([ring + place], box), box, _DOT)

    def _contrasting(self, center: npt.NDArray[np.float64], than: _Floats | None = None) -> _Floats:
        """Return the random color, of two, that differs more from `than` or that at `center`."""
        first, second = self._color(), self._color()
        if than is None:
            column, row = (int(value) for value in center)
            row, column = min(row, self.height - 1), min(column, self.width - 1)
            than = self.colors[:, row, column, None, None]
        return first if abs(first - than).sum() > abs(second - than).sum() else second

    def _box(
        self, center: npt.NDArray[np.float64], ring: npt.NDArray[np.float64]
    ) -> tuple[int, int, int, int] | None:
        """Return left, top, right, bottom of the visible part of the ring; None if invisible."""
        left, top = np.maximum(np.floor(center + ring.min(0)), 0).astype(int).tolist()
        right, bottom = (
            np.minimum(np.ceil(center + ring.max(0)) + 1, (self.width, self.height))
            .astype(int)
            .tolist()
        )
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _cast_shadow(self, coverage: _Bytes, box: tuple[int, int, int, int], radius: float) -> None:
        """Darken the area next to an object on the side away from the light."""
        left, top, right, bottom = box
        shift = np.round(-self.light * min(0.15 * radius, 0.03 * self.unit)).astype(int)
        x, y = int(shift[0]), int(shift[1])
        x0, y0 = max(left + x, 0), max(top + y, 0)
        x1, y1 = min(right + x, self.width), min(bottom + y, self.height)
        if x0 >= x1 or y0 >= y1:
            return
        shadow = coverage[y0 - top - y : y1 - top - y, x0 - left - x : x1 - left - x]
        self.colors[:, y0:y1, x0:x1] *= 1 - shadow * np.float32(0.4 / 255)

    def _lay(
        self, texture: _Floats, coverage: _Bytes, box: tuple[int, int, int, int], kind: int
    ) -> None:
        """Blend a texture over the scene; pixels covered by at least half get its class."""
        left, top, right, bottom = box
        under = self.colors[:, top:bottom, left:right]
        under += (texture - under) * (coverage * np.float32(1 / 255))
        covered = coverage >= 128
        self.mask[top:bottom, left:right][covered] = kind
        self.drawn.append((kind, int(np.count_nonzero(covered))))
        self.objects[top:bottom, left:right][covered] = len(self.drawn)


def _fill(rings: list[npt.NDArray[np.float64]], box: tuple[int, int, int, int]) -> _Bytes:
    """Return the coverage, uint8 0..255, of the first polygon minus the others, within `box`."""
    left, top, right, bottom = box
    # Drawn at twice the size and averaged for smooth edges.
    canvas = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
    draw = ImageDraw.Draw(canvas)
    for ring, value in zip(rings, (255, 0), strict=False):
        draw.polygon((2 * (ring - (left, top))).ravel().tolist(), fill=value)
    return np.asarray(canvas.reduce(2))


def _polygon(corners: int, *radii: float, start: float = 0.0) -> npt.NDArray[np.float64]:
    """Return corners [N, 2] on the unit circle, or at alternating `radii`."""
    angles = start + np.arange(corners) * 2 * np.pi / corners
    scale = np.resize(radii or (1.0,), corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * scale[:, None]


_ARM = 0.33
_QUARTER = np.array([[1, -_ARM], [1, _ARM], [_ARM, _ARM]])
_CROSS_CORNERS = np.concatenate(
    [_QUARTER @ np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turn) for turn in range(4)]
)

_OUTLINES = {
    _DISC: [_polygon(40)],
    _SQUARE: [_polygon(4)],
    _TRIANGLE: [_polygon(3)],
    _RING: [_polygon(40)],
    _CROSS: [_CROSS_CORNERS],
    _STAR: [_polygon(10, 1.0, 0.42)],
}
"""Outlines by class, within the unit circle."""
