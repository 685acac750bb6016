"""The tasks: a data set's classes and colours, and how its pictures enter the network.

Each file of `seaformer/tasks/` is one task, and its name is the task's name. A user's own data
set is described by the same JSON object and read by `Task.from_json`.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from seaformer.errors import unknown_name
from seaformer.tasks.task import (
    COLOR_ORDERS,
    IMAGE_CHANNELS,
    INTERPOLATIONS,
    KINDS,
    RESIZES,
    SCHEMA_VERSION,
    Evaluation,
    Preprocessing,
    Task,
)

__all__ = [
    "COLOR_ORDERS",
    "DEFAULT_TASK",
    "IMAGE_CHANNELS",
    "INTERPOLATIONS",
    "KINDS",
    "RESIZES",
    "SCHEMA_VERSION",
    "TASKS",
    "Evaluation",
    "Preprocessing",
    "Task",
    "get_task",
    "task_names",
]

DEFAULT_TASK = "ade20k"
"""Of a network by its name, if neither the user nor its weights say another."""


@cache
def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that come with the package, sorted."""
    files = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in files if name.endswith(".json")))


@cache
def get_task(name: str) -> Task:
    """Return the task called `name`, which is read at the first call only.

    Raises:
        UnknownNameError: there is none; the message lists those there are.
    """
    if name not in task_names():
        raise unknown_name("task", name, task_names())
    return Task.from_json(json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8")))


class _Tasks(Mapping[str, Task]):
    """The tasks by name, each read when it is first asked for."""

    def __getitem__(self, name: str) -> Task:
        # A mapping owes its callers a KeyError: `in` and `.get` rest on it.
        if name not in task_names():
            raise KeyError(name)
        return get_task(name)

    def __iter__(self) -> Iterator[str]:
        return iter(task_names())

    def __len__(self) -> int:
        return len(task_names())


TASKS: Mapping[str, Task] = _Tasks()


def _folder() -> Traversable:
    return resources.files("seaformer.tasks")
