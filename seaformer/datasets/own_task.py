"""The task of a user's own data set: `labels.json` in its folder, or its categories."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seaformer.datasets.layouts import LABELS
from seaformer.tasks import TASKS, Task, task_file


def own_task(folder: str | Path) -> Task | None:
    """Read the task from `labels.json` of a data set; None if there is no such file.

    `labels.json` is a task file, or a list of class names. With a list, masks store the index of a
    name, from 0, and 255 for ignored pixels.

    Raises:
        UsageError: the file is not JSON, or is invalid; the message names the file.
    """
    path = Path(folder) / LABELS
    return (
        task_file.read_task_file(path, path.resolve().parent.name).task if path.is_file() else None
    )


def task_of_categories(folder: Path, names: Sequence[str]) -> Task:
    """Return the task with the categories of a detection data set.

    Returns:
        The built-in task with these classes, or else a task that is named after the folder and has
        these classes in this order.

    Raises:
        UsageError: a name is not one line of text, or there are no names.
    """
    for task in TASKS.values():
        if task.kind == "detection" and set(task.labels) == set(names):
            return task
    own = task_file.own_task(names, name=task_file.slug(folder.resolve().name))
    return replace(
        own, kind="detection", ignore_index=None, label_note="The annotations store boxes."
    )
