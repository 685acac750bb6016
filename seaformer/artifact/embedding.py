"""The description inside a file, and the hash of what computes.

In an .onnx the JSON is the metadata property `seaformer`; in a .tflite it is the associated file
`seaformer.json` of the TFLite metadata standard, which keeps such files in a zip archive behind the
flatbuffer: readers of either ignore the other.

`content_sha256` covers what computes: of a .tflite the flatbuffer before the archive, of an .onnx
the model without metadata properties. It can therefore be in the JSON itself, and changes if a
weight does.
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
"""For other readers of a .tflite: a name of a class in each line."""

_DAMAGED = (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, zlib.error)
"""What zipfile raises on an archive that is damaged, encrypted or compressed in another way."""


def embed(content: bytes, metadata: Metadata) -> bytes:
    """Return the whole file: a model with its description in it, on one line, as size counts.

    The content is a TFLite flatbuffer, or an ONNX model; other properties of it are kept. Equal
    exports give equal bytes.
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
            # Not compressed, as the standard's own writer leaves it; a fixed date, so that the
            # same export gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), written)
    return stream.getvalue()


def content_sha256(content: bytes, name: str) -> str:
    """Return the hash of what computes in what `embed` is given; `name` is that of the file."""
    if format_of(name).name == "onnx":
        import onnx

        model = onnx.load_from_string(content)
        del model.metadata_props[:]
        content = serialize(model)
    return hashlib.sha256(content).hexdigest()


def content_of(path: Path) -> bytes:
    """Return what `embed` was given, without properties, of the file that it made.

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
    except Exception as error:  # protobuf's DecodeError has no public home
        raise SeaformerError(
            f"'{path}' is damaged or was not made by seaformer-export: {error}. Export it again."
        ) from error
    del model.metadata_props[:]
    return serialize(model)


def tflite_text(path: Path) -> str | None:
    """Return the JSON inside a .tflite; None if it has none. That of an .onnx its runtime reads.

    Raises:
        SeaformerError: the archive is damaged.
    """
    with path.open("rb") as file:
        return _text_in(file, str(path))


def text_inside(content: bytes, name: str) -> str | None:
    """Return what `tflite_text` does, of a file that has been read.

    Args:
        content: of the .tflite.
        name: of the file, for errors.

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
            with archive.open(ASSOCIATED_FILE) as member:  # which may inflate a thousand times
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
    """Write an ONNX model so that equal models give equal bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data
