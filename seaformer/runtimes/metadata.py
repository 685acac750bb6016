"""The metadata of an export: a JSON object that says what the file takes in and gives out.

It stands inside the file: in an .onnx as the metadata property `seaformer`, in a .tflite as the
associated file `seaformer.json` of the zip archive at its end. Where a converter dropped it, a
.json file of the same name beside the model does.
"""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal

from seaformer.errors import SeaformerError
from seaformer.files import TooLargeError, read_limited

SCHEMA_VERSION = 1

FEATURES: Literal["features"] = "features"
"""Kind of a model that takes, in place of a picture, what another network makes of one."""

PROPERTY = "seaformer"
ASSOCIATED_FILE = "seaformer.json"
METADATA_LIMIT = 16 * 2**20
"""Bytes. An export writes about one for each of a thousand operators and labels, some 500 KB."""


def parse_metadata(text: str | bytes, where: str) -> dict[str, Any]:
    """Read the JSON object; `where` names its place in errors.

    Raises:
        SeaformerError: it is no such object, too large, or of another schema version.
    """
    if len(text) > METADATA_LIMIT:
        raise SeaformerError(
            f"the metadata in {where} has more than {METADATA_LIMIT / 2**20:g} MiB. Export the "
            "model again."
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SeaformerError(
            f"the metadata in {where} is no JSON ({error}). Export the model again."
        ) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise SeaformerError(
            f"the metadata in {where} has schema_version {version}. Allowed: {SCHEMA_VERSION}. "
            "Export the model again with this version of seaformer."
        )
    metadata: dict[str, Any] = data
    return metadata


def read_associated_file(path: Path) -> str | None:
    """Return the text of the metadata in the zip archive at the end of a .tflite, or None.

    Raises:
        SeaformerError: it is damaged.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if ASSOCIATED_FILE not in archive.namelist():
                return None
            with archive.open(ASSOCIATED_FILE) as member:  # which may inflate a thousand times
                text = member.read(METADATA_LIMIT + 1)
            if len(text) > METADATA_LIMIT:
                raise ValueError(f"it has more than {METADATA_LIMIT} bytes")
            return text.decode()
    # What zipfile raises on an archive that is damaged, encrypted or compressed in another way.
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, zlib.error) as error:
        raise SeaformerError(
            f"'{path}', {ASSOCIATED_FILE} is damaged: {error}. Export the model again."
        ) from error


def read_beside(path: Path) -> dict[str, Any] | None:
    """Return the metadata in the .json file beside a model; None if there is none of ours.

    Raises:
        SeaformerError: it is damaged.
    """
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    try:
        text = read_limited(beside, METADATA_LIMIT)
    except TooLargeError:
        return None
    # Other tools put .json files of their own beside a model.
    if b'"schema_version"' not in text:
        return None
    metadata = parse_metadata(text, f"'{beside}'")
    # A .tflite and an .onnx of one stem share the file: one is all of it, the other under its name.
    other = (metadata.get("same_stem") or {}).get(path.name)
    return metadata if other is None else dict(other)
