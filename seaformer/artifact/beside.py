"""The description next to a file: NAME.tflite.json, NAME.onnx.json.

The app and `seaformer-bundle` use it; other tools can read it without opening the model.
"""

import hashlib
from pathlib import Path

from seaformer.artifact import legacy
from seaformer.artifact.metadata import METADATA_LIMIT, File, Metadata, parse_metadata
from seaformer.errors import SeaformerError, UsageError
from seaformer.files import TooLargeError, atomic_write, read_limited
from seaformer.names import path_in


def path_beside(model: Path) -> Path:
    """Return the path of the JSON next to a model file."""
    return model.with_name(f"{model.name}.json")


def check_beside(model: Path, force: bool) -> None:
    """Refuse to replace a JSON that seaformer-export has not written.

    Raises:
        UsageError: there is such a file, and `force` is false.
        SeaformerError: its path is a link that leads out of the folder.
    """
    path = path_in(model.parent, path_beside(model).name, "the name of the file to write")
    if not path.exists() or force:
        return
    try:
        is_ours = _read(path) is not None
    except SeaformerError:
        is_ours = False
    if not is_ours:
        raise UsageError(
            f"'{path}' exists and was not written by seaformer-export. Give another --output, or "
            "--force to overwrite it."
        )


def write_beside(model: Path, file: bytes, metadata: Metadata) -> None:
    """Write the description of a model file next to it, including size and hash of the file."""
    described = File(name=model.name, bytes=len(file), sha256=hashlib.sha256(file).hexdigest())
    with atomic_write(path_beside(model)) as temporary:
        text = metadata.model_copy(update={"file": described}).text()
        temporary.write_text(text, encoding="utf-8")


def read_beside(model: Path) -> Metadata | None:
    """Read the description next to a model file; None if there is none from seaformer-export.

    Raises:
        SeaformerError: the description is damaged.
    """
    return _read(path_beside(model)) or _read(legacy.shared_path(model), shared_by=model)


def _read(path: Path, shared_by: Path | None = None) -> Metadata | None:
    if not path.is_file():
        return None
    try:
        text = read_limited(path, METADATA_LIMIT)
    except TooLargeError:
        return None
    # Other tools write their own .json files next to a model.
    if b'"schema_version"' not in text:
        return None
    own = text if shared_by is None else legacy.own_part(text, shared_by)
    return None if own is None else parse_metadata(own, f"'{path}'")
