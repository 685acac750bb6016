"""What a task is: a data set's classes and colours, and how its images enter the network."""

import math
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal

from seaformer.errors import UsageError, unknown_name

SCHEMA_VERSION = 1

IMAGE_CHANNELS = 3
"""Red, green and blue, of every image that enters a network."""

KINDS = ("segmentation", "classification")
COLOR_ORDERS = ("RGB", "BGR")
INTERPOLATIONS = ("bilinear", "bicubic")
RESIZES = ("stretch", "center-crop")


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the network input: resized, then (value - mean) / std per channel.

    Attributes:
        color_order: order of the three channels, "RGB" or "BGR".
        mean: mean of each channel on the scale 0..255, in `color_order`.
        std: standard deviation of each channel on the scale 0..255, in `color_order`; above 0.
        interpolation: "bilinear" or "bicubic".
        resize: "stretch" (the whole picture to `input_size`, aspect ratio not kept) or
            "center-crop" (aspect ratio kept, to the smallest size that covers `input_size` /
            `crop_fraction`; then the middle `input_size` is cut out).
        input_size: default height and width of the network input, in pixels.
        pad_value: what stands for pixels outside the picture, after normalisation.
        crop_fraction: above 0 and up to 1; None for "stretch".
    """

    color_order: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    resize: str
    input_size: tuple[int, int]
    pad_value: float
    crop_fraction: float | None = None

    @classmethod
    def from_json(cls, data: object, where: str = "preprocessing") -> "Preprocessing":
        """Build it from a JSON object whose keys are the attributes; `where` names it in errors.

        Raises:
            UsageError: a value is missing, unknown or out of range.
        """
        values = _members(data, where, cls)
        resize = _choice(values["resize"], f"{where}.resize", RESIZES)
        crop_fraction = values.get("crop_fraction")
        if resize == "center-crop":
            crop_fraction = _number(
                crop_fraction, f"{where}.crop_fraction", "above 0, up to 1", lambda x: 0 < x <= 1
            )
        elif crop_fraction is not None:
            raise _bad(crop_fraction, f"{where}.crop_fraction", f"nothing, as resize is '{resize}'")
        return cls(
            color_order=_choice(values["color_order"], f"{where}.color_order", COLOR_ORDERS),
            mean=_channels(values["mean"], f"{where}.mean", "0..255", lambda x: 0 <= x <= 255),
            std=_channels(values["std"], f"{where}.std", "above 0", lambda x: x > 0),
            interpolation=_choice(
                values["interpolation"], f"{where}.interpolation", INTERPOLATIONS
            ),
            resize=resize,
            input_size=_size(values["input_size"], f"{where}.input_size"),
            pad_value=_number(values["pad_value"], f"{where}.pad_value", "finite", math.isfinite),
            crop_fraction=crop_fraction,
        )


@dataclass(frozen=True)
class Evaluation:
    """How the official protocol resizes a validation picture; the rest is as in `Preprocessing`.

    The picture is scaled, aspect ratio kept, by the smaller of `short_side` / shorter side and
    `long_side_max` / longer side. Each side is then rounded up to a multiple of `size_multiple` by
    a second resize. At last the middle `crop_size` is cut out.

    Attributes:
        short_side: pixels, 1 or more.
        long_side_max: pixels, 1 or more; None for no limit.
        size_multiple: pixels; 1 leaves the size alone.
        crop_size: height and width of the crop in pixels; None for no crop.
        note: where the protocol is written down, and what else belongs to it.
    """

    short_side: int
    long_side_max: int | None = None
    size_multiple: int = 1
    crop_size: tuple[int, int] | None = None
    note: str = ""

    @classmethod
    def from_json(cls, data: object, where: str = "evaluation") -> "Evaluation":
        """Build it from a JSON object whose keys are the attributes; `where` names it in errors.

        Raises:
            UsageError: a value is missing, unknown or out of range.
        """
        values = _members(data, where, cls)
        long_side_max = values.get("long_side_max")
        if long_side_max is not None:
            long_side_max = _integer(long_side_max, f"{where}.long_side_max", low=1)
        crop_size = values.get("crop_size")
        if crop_size is not None:
            crop_size = _size(crop_size, f"{where}.crop_size")
        return cls(
            short_side=_integer(values["short_side"], f"{where}.short_side", low=1),
            long_side_max=long_side_max,
            size_multiple=_integer(
                values.get("size_multiple", cls.size_multiple), f"{where}.size_multiple", low=1
            ),
            crop_size=crop_size,
            note=_text(values.get("note", cls.note), f"{where}.note"),
        )


@dataclass(frozen=True)
class Task:
    """What a network is trained for: the classes of one data set.

    Attributes:
        name: short name, as given on a command line.
        title: name to show to people.
        kind: "segmentation" (a class per pixel) or "classification" (a class per picture).
        source: the data set, and where its names and colours were taken from.
        labels: class names; the place of a name is the class index, from 0.
        palette: red, green and blue of each class, 0..255; None if the data set has no colours. Two
            classes may share a colour: some published palettes do so.
        ignore_index: class index of pixels that count for nothing; None if there are none.
        label_offset: a stored annotation value minus this is the class index; a negative result is
            ignored, and so is a stored value that equals `ignore_index`.
        label_note: what the annotations store, in words.
        preprocessing: how a picture becomes the network input on a device.
        evaluation: how it does in the official accuracy figures; None if there is no protocol.
        ids: the data set's own class ids, one per label and all different; None if it has none.
            Only a data set with ids may use a label twice.
    """

    name: str
    title: str
    kind: str
    source: str
    labels: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] | None
    ignore_index: int | None
    label_offset: int
    label_note: str
    preprocessing: Preprocessing
    evaluation: Evaluation | None = None
    ids: tuple[str, ...] | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes, which is the number of output channels of the network."""
        return len(self.labels)

    @property
    def is_segmentation(self) -> bool:
        """Whether the network gives a class for each pixel rather than one for the picture."""
        return self.kind == "segmentation"

    @property
    def score_name(self) -> Literal["mIoU", "top-1"]:
        """What tells how good a network for it is."""
        return "mIoU" if self.is_segmentation else "top-1"

    @classmethod
    def from_json(cls, data: object) -> "Task":
        """Build a task from the object read from its JSON file.

        Its keys are the attributes, `schema_version` (1) and `num_classes`. Attributes that have a
        default may be left out.

        Raises:
            UsageError: a key is missing or unknown, or a value breaks a rule. The message names the
                key, its value and what is allowed.
        """
        values = _members(data, "task", cls, extra=("schema_version", "num_classes"))
        if values["schema_version"] != SCHEMA_VERSION:
            raise _bad(values["schema_version"], "schema_version", str(SCHEMA_VERSION))
        ids = values.get("ids")
        labels = _names(values["labels"], "labels", unique=ids is None)
        if values["num_classes"] != len(labels):
            raise _bad(values["num_classes"], "num_classes", f"{len(labels)}, the number of labels")
        if ids is not None:
            ids = _names(ids, "ids", unique=True, count=len(labels))
        palette = values["palette"]
        if palette is not None:
            palette = tuple(
                _color(color, f"palette[{index}]")
                for index, color in enumerate(_array(palette, "palette", len(labels)))
            )
        ignore_index = values["ignore_index"]
        if ignore_index is not None:
            ignore_index = _integer(ignore_index, "ignore_index", low=len(labels))
        evaluation = values.get("evaluation")
        return cls(
            name=_slug(values["name"], "name"),
            title=_line(values["title"], "title"),
            kind=_choice(values["kind"], "kind", KINDS),
            source=_line(values["source"], "source"),
            labels=labels,
            palette=palette,
            ignore_index=ignore_index,
            label_offset=_integer(values["label_offset"], "label_offset", low=0),
            label_note=_text(values["label_note"], "label_note"),
            preprocessing=Preprocessing.from_json(values["preprocessing"]),
            evaluation=None if evaluation is None else Evaluation.from_json(evaluation),
            ids=ids,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object that `from_json` reads, made of what `json.dump` can write.

        Attributes that equal their default are left out.
        """
        members: dict[str, Any] = _plain(self)
        return {"schema_version": SCHEMA_VERSION, "num_classes": self.num_classes} | members


def _plain(value: Any) -> Any:
    """Turn dataclasses into dicts without the values that are defaults, and tuples into lists."""
    if isinstance(value, Task | Preprocessing | Evaluation):
        members = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _plain(member) for field, member in members if member != field.default}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _bad(value: object, where: str, allowed: str) -> UsageError:
    return UsageError(f"{where} is {reprlib.repr(value)}. Allowed: {allowed}.")


def _members(data: object, where: str, cls: type, extra: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """Check that the keys of `data` are `extra` and the fields of the dataclass `cls`."""
    if not isinstance(data, Mapping):
        raise _bad(data, where, "a JSON object")
    keys = [*extra, *(field.name for field in fields(cls))]
    required = [*extra, *(field.name for field in fields(cls) if field.default is MISSING)]
    for key in data:
        if key not in keys:
            raise unknown_name(f"key of {where}", str(key), keys)
    for key in required:
        if key not in data:
            raise UsageError(f"{where} has no '{key}'. Required: {', '.join(required)}.")
    return data


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _bad(value, where, "text")
    return value


def _line(value: object, where: str) -> str:
    text = _text(value, where)
    # Label files hold one label a line: a line break in a label would shift all that follow.
    if not text or not text.isprintable() or text != text.strip():
        raise _bad(value, where, "one line of text, not empty, without spaces at its ends")
    return text


def _slug(value: object, where: str) -> str:
    text = _text(value, where)
    # The name becomes part of file names.
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise _bad(value, where, "lower-case letters and digits, in parts joined by '-'")
    return text


def _choice(value: object, where: str, choices: tuple[str, ...]) -> str:
    text = _text(value, where)
    if text not in choices:
        raise _bad(value, where, ", ".join(choices))
    return text


def _integer(value: object, where: str, low: int, high: float = math.inf) -> int:
    # JSON's true is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        limit = f"{low} or more" if high == math.inf else f"{low}..{high}"
        raise _bad(value, where, f"a whole number, {limit}")
    return value


def _number(value: object, where: str, limit: str, accepts: Callable[[float], bool]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(value, where, f"a number, {limit}")
    if not math.isfinite(value) or not accepts(value):
        raise _bad(value, where, f"a number, {limit}")
    return float(value)


def _array(value: object, where: str, count: int | None = None) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _bad(value, where, "a list")
    if count is not None and len(value) != count:
        raise UsageError(f"{where} has {len(value)} values. Allowed: {count}.")
    return value


def _names(value: object, where: str, unique: bool, count: int | None = None) -> tuple[str, ...]:
    names = tuple(
        _line(name, f"{where}[{index}]") for index, name in enumerate(_array(value, where, count))
    )
    if not names:
        raise _bad(value, where, "one name or more")
    if unique:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            if first.setdefault(name, index) != index:
                raise _bad(name, f"{where}[{index}]", f"a name other than that of {first[name]}")
    return names


def _channels(
    value: object, where: str, limit: str, accepts: Callable[[float], bool]
) -> tuple[float, float, float]:
    first, second, third = (
        _number(item, f"{where}[{index}]", limit, accepts)
        for index, item in enumerate(_array(value, where, 3))
    )
    return first, second, third


def _color(value: object, where: str) -> tuple[int, int, int]:
    red, green, blue = (
        _integer(item, f"{where}[{index}]", 0, 255)
        for index, item in enumerate(_array(value, where, 3))
    )
    return red, green, blue


def _size(value: object, where: str) -> tuple[int, int]:
    height, width = (
        _integer(item, f"{where}[{index}]", 1) for index, item in enumerate(_array(value, where, 2))
    )
    return height, width
