"""The .json beside an exported file.

It has the file's stem, and so an .onnx and a .tflite of the same stem share it. It is then the
metadata of the .tflite, the phone's format, and has that of the .onnx whole in `same_stem`, under
the name of the file.
"""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from seaformer.artifact.metadata import File, Metadata
from seaformer.artifact.precisions import FORMATS, format_of
from seaformer.errors import UsageError
from seaformer.files import TooLargeError, atomic_write, read_limited
from seaformer.names import path_in
from seaformer.runtimes.metadata import METADATA_LIMIT

_PRIMARY_FIRST = ("tflite", *(name for name in FORMATS if name != "tflite"))


def sidecar_path(model: Path) -> Path:
    """The .json beside a model file."""
    return model.with_suffix(".json")


def check_sidecar(model: Path, force: bool) -> None:
    """Refuse to replace a .json that is not ours.

    Raises:
        UsageError: there is one, and `force` is false.
        SeaformerError: its place is a link that leads out of the folder.
    """
    path = path_in(model.parent, sidecar_path(model).name, "the name of the file to write")
    if path.exists() and not force and _entries(path) is None:
        raise UsageError(
            f"'{path}' exists and is not of seaformer-export. Give another --output, or --force to "
            "overwrite it."
        )


def write_sidecar(model: Path, file: bytes, metadata: Metadata) -> None:
    """Write the metadata of a model file beside it, and keep that of its sibling's.

    Args:
        model: path of the model file.
        file: its bytes.
        metadata: as it stands inside the file.
    """
    path = sidecar_path(model)
    described = File(name=model.name, bytes=len(file), sha256=hashlib.sha256(file).hexdigest())
    entries = {
        name: entry
        for name, entry in (_entries(path) or {}).items()
        if name != model.name and _still_describes(entry, model.with_name(name))
    }
    entries[model.name] = metadata.model_copy(update={"file": described, "same_stem": None})
    first, *others = sorted(entries, key=lambda name: _PRIMARY_FIRST.index(format_of(name).name))
    whole = entries[first].model_copy(
        update={"same_stem": {name: entries[name] for name in others} or None}
    )
    with atomic_write(path) as temporary:
        temporary.write_text(whole.text(), encoding="utf-8")


def read_sidecar(model: Path) -> Metadata | None:
    """Read the metadata beside a model file; None if there is none of ours for it."""
    return (_entries(sidecar_path(model)) or {}).get(model.name)


def _entries(path: Path) -> dict[str, Metadata] | None:
    """File name -> metadata, of a .json of ours; None for any other.

    Names come from the .json: those that no file of its stem has are left out.
    """
    if not path.is_file():
        return None
    try:
        whole = Metadata.model_validate_json(read_limited(path, METADATA_LIMIT))
    except (ValidationError, TooLargeError):
        return None
    if whole.file is None:
        return None
    entries = {
        whole.file.name: whole.model_copy(update={"same_stem": None}),
        **(whole.same_stem or {}),
    }
    files = {f"{path.stem}{format.suffix}" for format in FORMATS.values()}
    return {name: entry for name, entry in entries.items() if name in files}


def _still_describes(entry: Metadata, model: Path) -> bool:
    return (
        entry.file is not None
        and model.is_file()
        and hashlib.sha256(model.read_bytes()).hexdigest() == entry.file.sha256
    )
