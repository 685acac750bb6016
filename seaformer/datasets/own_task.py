"""The task of a user's own data set: `labels.json` in its folder."""

import re
from pathlib import Path

from seaformer.errors import UsageError
from seaformer.files import read_limited
from seaformer.json_text import JsonError, parse_json
from seaformer.tasks import SCHEMA_VERSION, Task, get_task

FILE = "labels.json"

MAX_BYTES = 16 * 2**20
"""A task of 255 classes has some 20 000."""

_IGNORED = 255
_USUAL = "ade20k"
"""The task whose preprocessing is taken: all SeaFormer networks were trained with the same one."""


def own_task(folder: str | Path) -> Task | None:
    """Read the task that a data set describes itself with; None if it does not.

    `labels.json` holds a task, as `Task.from_json` reads it, or a list of class names. With the
    list, a mask stores the place of a name in it, from 0, and 255 for pixels to ignore.

    Raises:
        UsageError: the file is no JSON, or breaks a rule; the message names the file.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        data = parse_json(read_limited(path, MAX_BYTES))
        return Task.from_json(_described(data, path) if isinstance(data, list) else data)
    except UsageError as error:
        raise UsageError(f"'{path}': {error}") from error
    except JsonError as error:
        raise UsageError(
            f"'{path}' cannot be used: {error}. Allowed: a list of class names, or a task."
        ) from error


def _described(labels: list[object], path: Path) -> dict[str, object]:
    """Return the JSON of a task that has these class names and is usual in all else."""
    title = path.resolve().parent.name or "own data"
    return {
        "schema_version": SCHEMA_VERSION,
        "name": re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "own-data",
        "title": title,
        "kind": "segmentation",
        "source": f"{FILE} of a user's own data set",
        "num_classes": len(labels),
        "labels": labels,
        "palette": None,
        "ignore_index": _IGNORED,
        "label_offset": 0,
        "label_note": "Masks store the place of a class in the list, from 0, and 255 to ignore.",
        "preprocessing": get_task(_USUAL).to_json()["preprocessing"],
    }
