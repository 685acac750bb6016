"""The description inside a file, and the hash of the model without it.

In an .onnx, the JSON is the metadata property `seaformer`. In a .tflite, it is the associated file
`seaformer.json` of the TFLite metadata standard, which stores such files in a zip archive after the
flatbuffer. Readers of the flatbuffer ignore the archive, and vice versa.

`content_sha256` covers the model itself: the flatbuffer of a .tflite without the archive, or an
.onnx without metadata properties. The JSON can therefore contain the hash, which changes with every
weight.
"""

import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from seaformer.artifact.metadata import METADATA_LIMIT, Metadata
from seaformer.artifact.precisions import format_of
from seaformer.errors import SeaformerError

if TYPE_CHECKING:
    from onnx import ModelProto

PROPERTY = "seaformer"
ASSOCIATED_FILE = "seaformer.json"
LABELS_FILE = "labels.txt"
"""For other readers of a .tflite: one class name per line."""

_DAMAGED = (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, zlib.error)
"""Exceptions of zipfile for archives that are damaged, encrypted or use another compression."""


def embed(content: bytes, metadata: Metadata) -> bytes:
    """Return the whole file: a model with its description, as one line to save space.

    `content` is a TFLite flatbuffer or an ONNX model, whose other properties are preserved. Equal
    exports give identical bytes.
    """
    text = metadata.without_latency().text(indent=None)
    if metadata.format == "onnx":
        import onnx

        model = onnx.load_from_string(content)
        others = {one.key: one.value for one in model.metadata_props if one.key != PROPERTY}
        onnx.helper.set_model_props(model, others | {PROPERTY: text})
        return serialize(model)
    stream = io.BytesIO(content)
    files = {ASSOCIATED_FILE: text}
    if metadata.labels:
        files[LABELS_FILE] = "".join(f"{' '.join(label.split())}\n" for label in metadata.labels)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, written in files.items():
            # Uncompressed, like the standard's own writer; with a fixed date, so that the same
            # export gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), written)
    return stream.getvalue()


def content_sha256(content: bytes, name: str) -> str:
    """Return the hash of the model without metadata; `name` is the name of the file."""
    if format_of(name).name == "onnx":
        import onnx

        model = onnx.load_from_string(content)
        del model.metadata_props[:]
        content = serialize(model)
    return hashlib.sha256(content).hexdigest()


def content_of(path: Path) -> bytes:
    """Return the content that `embed` made this file from, without properties.

    Raises:
        SeaformerError: the file is damaged, or was not made by seaformer-export.
    """
    file = path.read_bytes()
    try:
        if format_of(path.name).name == "tflite":
            with zipfile.ZipFile(io.BytesIO(file)) as archive:
                return file[: min(info.header_offset for info in archive.infolist())]
        import onnx

        model = onnx.load_from_string(file)
    except Exception as error:  # protobuf's DecodeError is not public
        raise SeaformerError(
            f"'{path}' is damaged or was not made by seaformer-export: {error}. Export it again."
        ) from error
    del model.metadata_props[:]
    return serialize(model)


def tflite_text(path: Path) -> str | None:
    """Return the JSON inside a .tflite; None if it has none. For .onnx, the runtime reads it.

    Raises:
        SeaformerError: the archive is damaged.
    """
    with path.open("rb") as file:
        return _text_in(file, str(path))


def text_inside(content: bytes, name: str) -> str | None:
    """Return the JSON inside a .tflite that has been read, like `tflite_text`.

    Args:
        content: content of the .tflite.
        name: name of the file, for errors.

    Raises:
        SeaformerError: the archive is damaged.
    """
    return _text_in(io.BytesIO(content), name)


def _text_in(file: BinaryIO, name: str) -> str | None:
    if not zipfile.is_zipfile(file):
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            if ASSOCIATED_FILE not in archive.namelist():
                return None
            with archive.open(ASSOCIATED_FILE) as member:  # may expand a thousandfold
                text = member.read(METADATA_LIMIT + 1).decode()
    except _DAMAGED as error:
        raise SeaformerError(
            f"'{name}', {ASSOCIATED_FILE} is damaged: {error}. Export the model again."
        ) from error
    if len(text) > METADATA_LIMIT:
        raise SeaformerError(
            f"'{name}', {ASSOCIATED_FILE} has more than {METADATA_LIMIT / 2**20:g} MiB. Export the "
            "model again."
        )
    return text


def serialize(model: "ModelProto") -> bytes:
    """Serialize an ONNX model so that equal models give identical bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data
