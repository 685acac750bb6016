"""Checks whether the app can run an exported model, with the same conditions as the app."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaformer.artifact.beside import path_beside, read_beside
from seaformer.artifact.metadata import Metadata
from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.files import file_sha256
from seaformer.names import plain_name
from seaformer.tasks.statement import NOTHING, Statement

RUNTIMES: Mapping[str, str] = {".tflite": "LiteRT", ".onnx": "ONNX Runtime"}
"""Suffix -> runtime in the app."""

KINDS = ("segmentation", "classification", "detection")
INPUT_TYPES = ("float32", "int8", "uint8")
OUTPUT_TYPES = (*INPUT_TYPES, "int32", "int64")


@dataclass(frozen=True)
class Model:
    """An exported model that the app can run, and its metadata as written to the app.

    `name` is its file name in the app, which may differ from the name of `path`.
    """

    path: Path
    name: str
    metadata: Metadata
    sha256: str

    @property
    def runtime(self) -> str:
        """The runtime that runs it in the app."""
        return RUNTIMES[self.path.suffix.lower()]


def read_model(path: Path, statement: Statement = NOTHING) -> Model:
    """Read an exported .onnx or .tflite file and its JSON; check that the app can run it.

    Labels and palette of `statement` replace the model's in the app.

    Raises:
        UsageError: it is not such a file, or the app cannot run it; the message gives the reason.
        SeaformerError: the JSON is damaged, or describes another file.
    """
    if path.suffix.lower() not in RUNTIMES:
        raise UsageError(f"the app cannot run '{path}'. Allowed: {', '.join(RUNTIMES)} files.")
    if not path.is_file():
        raise UsageError(f"there is no file '{path}'. Make one with seaformer-export.")
    metadata = read_beside(path)
    if metadata is None or metadata.file is None:
        raise UsageError(
            f"'{path}' has no '{path_beside(path).name}' beside it. seaformer-export writes it, "
            "and the app needs it. Export the model, or copy that file too."
        )
    sha256, stored = file_sha256(path), metadata.file.sha256
    if stored != sha256:
        raise SeaformerError(
            f"'{path}' has SHA-256 {sha256}, but its .json records {quoted(stored)}: they do not "
            "belong together. Export the model again."
        )
    for what, value, allowed, holds in _conditions(metadata):
        if not holds:
            raise UsageError(
                f"the app cannot run '{path}': {what} is {value}. Allowed: {allowed}. Export the "
                "model with other options."
            )
    where = f"file.name in the .json of '{path}'"
    name = plain_name(metadata.file.name, where, "Export the model again.")
    if Path(name).suffix != path.suffix.lower():
        raise SeaformerError(
            f"{where} is {quoted(name)}. Allowed: a name ending in {path.suffix.lower()}. "
            "Export the model again."
        )
    labels = None if statement.labels is None else metadata.meaning.labels(statement.labels)
    if statement.palette is not None and len(statement.palette) != len(labels or metadata.labels):
        raise UsageError(
            f"the palette has {len(statement.palette)} colors. Allowed: "
            f"{len(labels or metadata.labels)}, one for each class."
        )
    return Model(path, name, metadata.restated(labels, statement.palette), sha256)


def _conditions(model: Metadata) -> Iterator[tuple[str, object, str, bool]]:
    """Yield the conditions that the app checks when it starts, except conditions on types.

    Each has the name of a value, the value, the allowed values, and whether it is allowed.
    ModelMetadata.kt has the same conditions.
    """
    source, output = model.input, model.output
    yield "its verification", model.parity.passed, "passed", model.parity.passed
    chip = None if model.compilation is None else model.compilation.chip
    yield (
        "the chip it is compiled for",
        chip,
        "none, as the CPU has to take over where the NPU cannot",
        chip is None,
    )
    yield "its task type", model.kind, ", ".join(KINDS), model.kind in KINDS
    known = source.mean is not None and source.std is not None
    yield "whether its preprocessing is recorded", known, "True, see --input-range", known
    is_one = source.shape[0] == 1 and source.channels in (1, 3)
    yield "its input shape", list(source.shape), "one image", is_one
    for side, dtype, types in (
        ("input", source.dtype, INPUT_TYPES),
        ("output", output.dtype, OUTPUT_TYPES),
    ):
        yield f"the type of its {side}", dtype, ", ".join(types), dtype in types
    classes = "the output for one image, with as many classes as labels"
    yield "its output shape", list(output.shape), classes, _fits_labels(model)


def _fits_labels(model: Metadata) -> bool:
    shape = model.output.shape
    if shape[:1] != (1,):
        return False
    if model.detection is not None:
        return shape[1:] == (model.detection.anchors, len(model.labels) + 4)
    if model.meaning.gives_ids:
        return len(shape) == 3 and model.kind == "segmentation"
    return model.class_scores(np.zeros(shape, np.int8)) is not None
