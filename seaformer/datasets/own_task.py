"""The task of a user's own data set: `labels.json` in its folder."""

from pathlib import Path

from seaformer.tasks import Task
from seaformer.tasks.task_file import read_task_file

FILE = "labels.json"


def own_task(folder: str | Path) -> Task | None:
    """Read the task from `labels.json` of a data set; None if there is no such file.

    `labels.json` is a task file, or a list of class names. With a list, masks store the index of a
    name, from 0, and 255 for ignored pixels.

    Raises:
        UsageError: the file is not JSON, or is invalid; the message names the file.
    """
    path = Path(folder) / FILE
    return read_task_file(path, path.resolve().parent.name).task if path.is_file() else None
