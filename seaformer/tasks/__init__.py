"""The tasks: classes and colors of a data set, and preprocessing of its images.

Each JSON file of `seaformer/tasks/` is one task, with its name. A user's own data set is described
by the same JSON object and read by `Task.from_json`.
"""

import json
from collections.abc import Mapping
from importlib import resources

from seaformer.errors import look_up
from seaformer.tasks.task import (
    COLOR_ORDERS,
    GRAY,
    INTERPOLATIONS,
    KINDS,
    RESIZES,
    SCHEMA_VERSION,
    Evaluation,
    Kind,
    Preprocessing,
    Task,
)

__all__ = [
    "COLOR_ORDERS",
    "DEFAULT_TASK",
    "DEFAULT_TASKS",
    "GRAY",
    "INTERPOLATIONS",
    "KINDS",
    "RESIZES",
    "SCHEMA_VERSION",
    "TASKS",
    "Evaluation",
    "Kind",
    "Preprocessing",
    "Task",
    "get_task",
]

DEFAULT_TASK = "ade20k"
"""Task of a network if neither the user nor its weights specify one."""

DEFAULT_TASKS: Mapping[str, str] = {
    "segmentation": DEFAULT_TASK,
    "classification": "imagenet",
    "detection": "coco",
}
"""The same for a network of which only the kind of its tasks is known."""

_FILES = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".json"))

TASKS: Mapping[str, Task] = {
    file.name.removesuffix(".json"): Task.from_json(json.loads(file.read_text(encoding="utf-8")))
    for file in sorted(_FILES, key=lambda file: file.name.removesuffix(".json"))
}
"""The built-in tasks, sorted by name. Reading all of them takes less than 15 ms."""


def get_task(name: str) -> Task:
    """Return the task called `name`.

    Raises:
        UnknownNameError: there is no such task; the message lists the known ones.
    """
    return look_up(TASKS, "task", name)
