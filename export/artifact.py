"""The exported file as bytes: the model's content, the JSON inside it, and their hashes.

`content_sha256` covers what computes: of a .tflite the flatbuffer before the archive that holds the
JSON, of an .onnx the model with its metadata properties removed. It can therefore stand in the JSON
itself, and changes if a weight does.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from typing import Any

import onnx

from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import Format
from seaformer.errors import SeaformerError
from seaformer.export.convert import tflite_file
from seaformer.runtimes.metadata import PROPERTY


@dataclass(frozen=True)
class Content:
    """A model before it has its JSON.

    Attributes:
        format: of the file.
        data: an ONNX model without metadata properties, or a TFLite flatbuffer.
    """

    format: Format
    data: bytes

    @property
    def sha256(self) -> str:
        """Hash of the content, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def with_metadata(self, metadata: Metadata) -> bytes:
        """The bytes of the whole file, with the JSON in it: on one line, as size counts here."""
        text = metadata.text(indent=None)
        if self.format.name == "tflite":
            return tflite_file.with_json(self.data, text)
        model = onnx.load_from_string(self.data)
        onnx.helper.set_model_props(model, {PROPERTY: text})
        return serialize(model)


def serialize(model: onnx.ModelProto) -> bytes:
    """Write an ONNX model so that equal models give equal bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def content_of(file: bytes, format: Format) -> Content:
    """Take the content back out of a file that `with_metadata` made.

    Raises:
        SeaformerError: the file is damaged, or was not made by seaformer-export.
    """
    damaged: tuple[type[Exception], ...] = (zipfile.BadZipFile, ValueError, EOFError)
    try:
        if format.name == "tflite":
            return Content(format, tflite_file.without_json(file))
        model: Any = onnx.load_from_string(file)
    except damaged as error:
        raise SeaformerError(
            f"the file is damaged or was not made by seaformer-export: {error}"
        ) from error
    except Exception as error:  # protobuf's DecodeError has no public home
        raise SeaformerError(f"the file is no ONNX model: {error}") from error
    del model.metadata_props[:]
    return Content(format, serialize(model))
