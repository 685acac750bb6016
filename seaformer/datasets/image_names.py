"""A JSON file with names of images of a data set: ["a.jpg", "b.jpg"]."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from seaformer.errors import UsageError
from seaformer.files import read_limited, write_text
from seaformer.json_text import JsonError, parse_json

HELD_OUT = "held_out.json"
"""File in the folder of a training run: the validation images, if the run chose them."""

MAX_BYTES = 64 * 2**20
"""Limit for a file; a million names take less."""

_NAMES = TypeAdapter(tuple[str, ...])


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write the names."""
    write_text(path, json.dumps(list(names), indent=1, ensure_ascii=False) + "\n")


def read_names(path: Path) -> tuple[str, ...]:
    """Read the names of one or more images.

    Raises:
        UsageError: the file is missing, or is not a list of names.
    """
    try:
        names = _NAMES.validate_python(parse_json(read_limited(path, MAX_BYTES)))
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}.") from error
    except (JsonError, ValidationError, ValueError) as error:
        raise UsageError(
            f"'{path}' does not name images. Allowed: a JSON list of image names, such as "
            f"{HELD_OUT} of a training run."
        ) from error
    if not names:
        raise UsageError(f"'{path}' names no images. Name at least one.")
    return names
