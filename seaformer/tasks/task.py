"""The description of a task: classes and colors of a data set, and preprocessing of its images."""

import math
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from seaformer.errors import UsageError, unknown_name

SCHEMA_VERSION = 1

GRAY = "GRAY"
"""One channel: the luminance of ITU-R BT.601, like Pillow's mode "L"."""

Kind = Literal["segmentation", "classification", "detection"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COLOR_ORDERS = ("RGB", "BGR", GRAY)
INTERPOLATIONS = ("bilinear", "bicubic")
RESIZES = ("stretch", "center-crop")


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network input: resized, then (value - mean) / std per channel.

    Attributes:
        color_order: order of the three channels, "RGB" or "BGR", or "GRAY" for one.
        mean: mean of each channel on the scale 0..255, in `color_order`.
        std: standard deviation of each channel on the scale 0..255, in `color_order`; above 0.
        interpolation: "bilinear" or "bicubic".
        resize: "stretch" (the whole image to `input_size`, without preserving the aspect ratio) or
            "center-crop" (to the smallest size that covers `input_size` / `crop_fraction`, with
            preserved aspect ratio, then a center crop of `input_size`).
        input_size: default height and width of the network input, in pixels.
        pad_value: value of pixels outside the image, after normalization.
        crop_fraction: above 0 and up to 1; None for "stretch".
    """

    color_order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
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
        read = _Members(data, cls, where)
        resize = read("resize", _choice, RESIZES)
        crop_fraction = read.values.get("crop_fraction")
        if resize == "center-crop":
            crop_fraction = read("crop_fraction", _number, "above 0, up to 1", lambda x: 0 < x <= 1)
        elif crop_fraction is not None:
            allowed = f"nothing, as resize is '{resize}'"
            raise _bad(crop_fraction, f"{where}.crop_fraction", allowed)
        color_order = read("color_order", _choice, COLOR_ORDERS)
        channels = channels_of(color_order)
        return cls(
            color_order=color_order,
            mean=read("mean", _each, channels, _number, "0..255", lambda x: 0 <= x <= 255),
            std=read("std", _each, channels, _number, "above 0", lambda x: x > 0),
            interpolation=read("interpolation", _choice, INTERPOLATIONS),
            resize=resize,
            input_size=read("input_size", _each, 2, _integer, 1),
            pad_value=read("pad_value", _number, "finite", math.isfinite),
            crop_fraction=crop_fraction,
        )

    @property
    def channels(self) -> int:
        """Number of channels: 3, or 1 for gray images."""
        return channels_of(self.color_order)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `from_json` reads, without attributes that equal their default."""
        members: dict[str, Any] = _plain(self)
        return members


def unnamed_labels(count: int) -> tuple[str, ...]:
    """Return the labels of classes without names."""
    return tuple(f"class {index}" for index in range(count))


def channels_of(color_order: str) -> int:
    """Return the number of channels of an image."""
    return 1 if color_order == GRAY else 3


@dataclass(frozen=True)
class Evaluation:
    """How the official protocol resizes a validation image; the rest is as in `Preprocessing`.

    The image is scaled, preserving its aspect ratio, by the smaller of `short_side` / shorter side
    and `long_side_max` / longer side. A second resize rounds each side up to a multiple of
    `size_multiple`. Finally, a center crop of `crop_size` is taken.

    Attributes:
        short_side: pixels, 1 or more.
        long_side_max: pixels, 1 or more; None for no limit.
        size_multiple: pixels; 1 for no second resize.
        crop_size: height and width of the crop in pixels; None for no crop.
        note: source of the protocol, and further remarks.
    """

    short_side: int
    long_side_max: int | None = None
    size_multiple: int = 1
    crop_size: tuple[int, int] | None = None
    note: str = ""

    @classmethod
    def from_json(cls, data: object) -> "Evaluation":
        """Build it from a JSON object whose keys are the attributes.

        Raises:
            UsageError: a value is missing, unknown or out of range.
        """
        read = _Members(data, cls, "evaluation")
        return cls(
            short_side=read("short_side", _integer, 1),
            long_side_max=read.optional("long_side_max", _integer, 1),
            size_multiple=read("size_multiple", _integer, 1),
            crop_size=read.optional("crop_size", _each, 2, _integer, 1),
            note=read("note", _text),
        )


@dataclass(frozen=True)
class Task:
    """A task that a network is trained for: the classes of one data set.

    Attributes:
        name: short name, for command lines.
        title: display name.
        kind: "segmentation" (a class per pixel), "classification" (a class per image) or
            "detection" (boxes with classes).
        source: the data set, and the source of its class names and colors.
        labels: class names, by class index from 0.
        palette: red, green and blue of each class, 0..255; None if the data set has no colors. Two
            classes may share a color, as in some published palettes.
        ignore_index: class index of ignored pixels; None if there are none.
        label_offset: a stored annotation value minus this is the class index. Negative results are
            ignored, and so are stored values equal to `ignore_index`.
        label_note: sentence about what the annotations store.
        preprocessing: preprocessing on a device.
        evaluation: preprocessing of the official evaluation protocol; None if there is none.
        ids: the class ids of the data set, one per label and unique; None if it has none. Only a
            data set with ids may use a label twice.
    """

    name: str
    title: str
    kind: Kind
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
        """Whether the network predicts a class per pixel rather than one per image."""
        return self.kind == "segmentation"

    @property
    def score_name(self) -> Literal["mIoU", "top-1", "AP"]:
        """The metric of accuracy for this task."""
        names: Mapping[str, Literal["mIoU", "top-1", "AP"]] = {
            "segmentation": "mIoU",
            "classification": "top-1",
            "detection": "AP",
        }
        return names[self.kind]

    @classmethod
    def from_json(cls, data: object) -> "Task":
        """Build a task from the object read from its JSON file.

        Its keys are the attributes, `schema_version` (1) and `num_classes`. Attributes with a
        default are optional.

        Raises:
            UsageError: a key is missing or unknown, or a value is invalid. The message names the
                key, its value and what is allowed.
        """
        read = _Members(data, cls, "task", extra=("schema_version", "num_classes"))
        version, count, ids = (read.values[key] for key in ("schema_version", "num_classes", "ids"))
        if version != SCHEMA_VERSION:
            raise _bad(version, "schema_version", str(SCHEMA_VERSION))
        labels = read("labels", _names, ids is None)
        if count != len(labels):
            raise _bad(count, "num_classes", f"{len(labels)}, the number of labels")
        evaluation = read.values["evaluation"]
        return cls(
            name=read("name", _slug),
            title=read("title", _line),
            kind=read("kind", _choice, KINDS),
            source=read("source", _line),
            labels=labels,
            palette=read.optional("palette", _each, len(labels), _each, 3, _integer, 0, 255),
            ignore_index=read.optional("ignore_index", _integer, len(labels)),
            label_offset=read("label_offset", _integer, 0),
            label_note=read("label_note", _text),
            preprocessing=Preprocessing.from_json(read.values["preprocessing"]),
            evaluation=None if evaluation is None else Evaluation.from_json(evaluation),
            ids=read.optional("ids", _names, True, len(labels)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object that `from_json` reads, which `json.dump` can write.

        Attributes with their default value are omitted.
        """
        members: dict[str, Any] = _plain(self)
        return {"schema_version": SCHEMA_VERSION, "num_classes": self.num_classes} | members


def _plain(value: Any) -> Any:
    """Turn dataclasses into dicts without default values, and tuples into lists."""
    if isinstance(value, Task | Preprocessing | Evaluation):
        members = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _plain(member) for field, member in members if member != field.default}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _bad(value: object, where: str, allowed: str) -> UsageError:
    return UsageError(f"{where} is {reprlib.repr(value)}. Allowed: {allowed}.")


class _Members:
    """Reads the members of a JSON object: `extra` and the fields of a dataclass.

    Attributes:
        values: the values of all members, including defaults.
    """

    def __init__(self, data: object, cls: type, where: str, extra: tuple[str, ...] = ()) -> None:
        if not isinstance(data, Mapping):
            raise _bad(data, where, "a JSON object")
        defaults = {field.name: field.default for field in fields(cls)}
        keys = [*extra, *defaults]
        required = [key for key in keys if defaults.get(key, MISSING) is MISSING]
        for key in data:
            if key not in keys:
                raise unknown_name(f"key of {where}", str(key), keys)
        for key in required:
            if key not in data:
                raise UsageError(f"{where} has no '{key}'. Required: {', '.join(required)}.")
        self.values: dict[str, Any] = defaults | dict(data)
        self._prefix = "" if cls is Task else f"{where}."

    def __call__(self, key: str, check: Callable[..., Any], *rules: object) -> Any:
        """Return a member as converted by `check`, which raises UsageError for invalid values."""
        return check(self.values[key], f"{self._prefix}{key}", *rules)

    def optional(self, key: str, check: Callable[..., Any], *rules: object) -> Any:
        """Return a member as converted by `check`, or None if that is its value."""
        return None if self.values[key] is None else self(key, check, *rules)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _bad(value, where, "text")
    return value


def _line(value: object, where: str) -> str:
    text = _text(value, where)
    # Label files have one label per line: a line break in a label would shift all others.
    if not text or not text.isprintable() or text != text.strip():
        raise _bad(value, where, "one non-empty line of text without leading or trailing spaces")
    return text


def _slug(value: object, where: str) -> str:
    text = _text(value, where)
    # The name becomes part of file names.
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise _bad(value, where, "lower-case letters and digits, with single '-' in between")
    return text


def _choice(value: object, where: str, choices: tuple[str, ...]) -> str:
    text = _text(value, where)
    if text not in choices:
        raise _bad(value, where, ", ".join(choices))
    return text


def _integer(value: object, where: str, low: int, high: float = math.inf) -> int:
    # Python's bool, JSON's true, is an int.
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


def _each(
    value: object, where: str, count: int | None, check: Callable[..., Any], *rules: object
) -> tuple[Any, ...]:
    """Check every item of a list of length `count`."""
    if not isinstance(value, list | tuple):
        raise _bad(value, where, "a list")
    if count is not None and len(value) != count:
        raise UsageError(f"{where} has {len(value)} values. Allowed: {count}.")
    return tuple(check(item, f"{where}[{index}]", *rules) for index, item in enumerate(value))


def _names(value: object, where: str, unique: bool, count: int | None = None) -> tuple[str, ...]:
    names = _each(value, where, count, _line)
    if not names:
        raise _bad(value, where, "at least one name")
    if unique:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            if first.setdefault(name, index) != index:
                allowed = f"a name that differs from {where}[{first[name]}]"
                raise _bad(name, f"{where}[{index}]", allowed)
    return names
