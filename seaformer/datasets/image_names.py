"""A file that names images of a data set, as JSON: ["a.jpg", "b.jpg"]."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from seaformer.errors import UsageError
from seaformer.files import read_limited, write_text
from seaformer.json_text import JsonError, parse_json

HELD_OUT = "held_out.json"
"""In the folder of a training run: the images that it was not trained on, if it chose them."""

MAX_BYTES = 64 * 2**20
"""A million names take less."""

_NAMES = TypeAdapter(tuple[str, ...])


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write the names."""
    write_text(path, json.dumps(list(names), indent=1, ensure_ascii=False) + "\n")


def read_names(path: Path) -> tuple[str, ...]:
    """Read the names of images, one or more.

    Raises:
        UsageError: there is no such file, or something else is in it.
    """
    try:
        names = _NAMES.validate_python(parse_json(read_limited(path, MAX_BYTES)))
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}.") from error
    except (JsonError, ValidationError, ValueError) as error:
        raise UsageError(
            f"'{path}' does not name images. Allowed: a JSON list of their names, such as the "
            f"{HELD_OUT} of a training run."
        ) from error
    if not names:
        raise UsageError(f"'{path}' names no image. Name one or more.")
    return names
