"""Whether the app can run an exported model: the same conditions as the app's own, told here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.files import file_sha256
from seaformer.names import plain_name
from seaformer.runtimes.metadata import read_beside
from seaformer.tasks import COLOR_ORDERS, INTERPOLATIONS, KINDS, RESIZES

RUNTIMES: Mapping[str, str] = MappingProxyType({".tflite": "LiteRT", ".onnx": "ONNX Runtime"})
"""suffix -> what runs it in the app."""

INPUT_TYPES = ("float32", "int8", "uint8")
OUTPUT_TYPES = (*INPUT_TYPES, "int32", "int64")
CONTENTS = ("logits", "classes", "mask")
LAYOUTS = ("NHWC", "NCHW")


@dataclass(frozen=True)
class Condition:
    """Something that the app needs of a model.

    Attributes:
        what: the value in words.
        value: of a model, from its metadata.
        allowed: in words.
        holds: of the value.
    """

    what: str
    value: Callable[[Mapping[str, Any]], Any]
    allowed: str
    holds: Callable[[Any], bool]


def _one_of(what: str, tensor: str, key: str, allowed: tuple[str, ...]) -> Condition:
    return Condition(what, lambda m: m[tensor][key], ", ".join(allowed), lambda v: v in allowed)


def _is_one_picture(shape: Any) -> bool:
    fixed = all(isinstance(side, int) and side > 0 for side in shape)
    return fixed and len(shape) == 4 and shape[0] == 1 and 3 in (shape[1], shape[3])


def _fits_labels(sides: tuple[list[int], str, str, str, int]) -> bool:
    shape, layout, kind, content, classes = sides
    if not all(isinstance(side, int) and side > 0 for side in shape) or shape[0] != 1:
        return False
    if kind == "classification":
        return shape == [1, classes]
    if content != "logits":
        return len(shape) == 3
    return len(shape) == 4 and shape[1 if layout == "NCHW" else 3] == classes


CONDITIONS: tuple[Condition, ...] = (
    Condition("its verification", lambda m: m["parity"]["passed"], "passed", bool),
    Condition("its kind", lambda m: m["kind"], ", ".join(KINDS), lambda v: v in KINDS),
    Condition("its input shape", lambda m: m["input"]["shape"], "one picture", _is_one_picture),
    _one_of("the type of its input", "input", "dtype", INPUT_TYPES),
    _one_of("the layout of its input", "input", "layout", LAYOUTS),
    _one_of("its colour order", "input", "color_order", COLOR_ORDERS),
    _one_of("its interpolation", "input", "interpolation", INTERPOLATIONS),
    _one_of("its resize rule", "input", "resize", RESIZES),
    _one_of("the type of its output", "output", "dtype", OUTPUT_TYPES),
    _one_of("the content of its output", "output", "content", CONTENTS),
    Condition(
        "its output shape",
        lambda m: (
            list(m["output"]["shape"]),
            m["output"]["layout"],
            m["kind"],
            m["output"]["content"],
            len(m["labels"]),
        ),
        "the output of one picture, for as many classes as there are labels",
        _fits_labels,
    ),
)
"""What the app checks again when it starts, in ModelMetadata.kt."""


@dataclass(frozen=True)
class Model:
    """An exported model that the app can run.

    Attributes:
        path: of the file.
        name: that the app opens it by; not always what the file is called here.
        metadata: its own, as the app gets it.
        sha256: of the file.
    """

    path: Path
    name: str
    metadata: Mapping[str, Any]
    sha256: str

    @property
    def runtime(self) -> str:
        """What runs it in the app."""
        return RUNTIMES[self.path.suffix.lower()]


def read_model(path: Path) -> Model:
    """Read an exported model and check that the app can run it.

    Args:
        path: an .onnx or .tflite with its .json beside it.

    Raises:
        UsageError: it is no such file, or the app cannot run it; the message says why.
        SeaformerError: the .json is damaged, or of another file.
    """
    if path.suffix.lower() not in RUNTIMES:
        raise UsageError(f"the app cannot run '{path}'. Allowed: {', '.join(RUNTIMES)} files.")
    if not path.is_file():
        raise UsageError(f"there is no file '{path}'. Make one with seaformer-export.")
    metadata = read_beside(path)
    if metadata is None:
        raise UsageError(
            f"'{path}' has no '{path.with_suffix('.json').name}' of seaformer-export beside it, "
            "which the app works by. Export the model, or copy that file too."
        )
    sha256 = file_sha256(path)
    try:
        name, stored = metadata["file"]["name"], metadata["file"]["sha256"]
        values = [(condition, condition.value(metadata)) for condition in CONDITIONS]
    except (KeyError, TypeError, IndexError) as error:
        raise SeaformerError(
            f"the metadata of '{path}' is not complete ({error}). Export the model again."
        ) from error
    if stored != sha256:
        raise SeaformerError(
            f"'{path}' has SHA-256 {sha256}, its .json says {stored}: they do not belong together. "
            "Export the model again."
        )
    for condition, value in values:
        if not condition.holds(value):
            raise UsageError(
                f"the app cannot run '{path}': {condition.what} is {value}. Allowed: "
                f"{condition.allowed}. Export the model in another way."
            )
    name = plain_name(name, f"file.name in the .json of '{path}'", "Export the model again.")
    if Path(name).suffix != path.suffix.lower():
        raise SeaformerError(
            f"file.name in the .json of '{path}' is {quoted(name)}. Allowed: a name in "
            f"{path.suffix.lower()}. Export the model again."
        )
    # What the .json says of the other format of the same stem is of no use to the app.
    own = {key: value for key, value in metadata.items() if key != "same_stem"}
    return Model(path, name, own, sha256)
