"""The task of a user's own data set: `labels.json` in its folder."""

from pathlib import Path

from seaformer.tasks import Task
from seaformer.tasks.task_file import read_task_file

FILE = "labels.json"


def own_task(folder: str | Path) -> Task | None:
    """Read the task that a data set describes itself with; None if it does not.

    `labels.json` is a task file, or a list of class names, by which a mask stores the place of a
    name in it, from 0, and 255 for pixels to ignore.

    Raises:
        UsageError: the file is no JSON, or breaks a rule; the message names the file.
    """
    path = Path(folder) / FILE
    return read_task_file(path, path.resolve().parent.name).task if path.is_file() else None
