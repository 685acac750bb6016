"""A user's own task: FILE.json, or lists of class names and colors.

docs/own_networks.md describes the file. `Task.from_json` defines the full form; in the short
form, everything except `labels` is optional and has defaults.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seaformer.errors import UsageError, look_up
from seaformer.files import read_limited
from seaformer.json_text import JsonError, parse_json
from seaformer.tasks import SCHEMA_VERSION, TASKS, Task, get_task
from seaformer.tasks.normalization import Normalization
from seaformer.tasks.statement import IGNORED, LABEL_NOTE, MEANINGS, Palette, Statement
from seaformer.tasks.task import GRAY

MAX_BYTES = 16 * 2**20
"""Limit for a file; a task of 255 classes takes about 20,000 bytes."""

OWN = "own"
"""Default name of a user's own task."""

USUAL = "ade20k"
"""Task with the default preprocessing, which all SeaFormer networks were trained with."""

_NORMALIZATION = ("input_range", "mean", "std")


def read_task(text: str) -> Statement:
    """Read a value of --task: the name of a task, or a file that describes one.

    Raises:
        UsageError: there is no such task or file, or the file is invalid; the message names it.
    """
    path = Path(text)
    if text in TASKS or not (path.suffix == ".json" or "/" in text):
        task = get_task(text)
        normalization = Normalization(task.preprocessing.mean, task.preprocessing.std)
        return Statement(task=task, normalization=normalization)
    return read_task_file(path)


def make_statement(
    task: str | Task | None = None,
    labels: Sequence[str] | None = None,
    palette: Palette | None = None,
    input_range: tuple[float, float] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output_meaning: str | None = None,
) -> Statement:
    """Combine what a user states about a network; arguments are as for the command's options.

    Raises:
        UsageError: a value is invalid.
    """
    if output_meaning is not None:
        look_up(MEANINGS, "output meaning", output_meaning)
    normalization = Normalization.stated(input_range, mean, std)
    if isinstance(task, Task):
        rule = task.preprocessing
        of_task = Statement(task=task, normalization=Normalization(rule.mean, rule.std))
    else:
        of_task = Statement() if task is None else read_task(task)
    if labels is not None:
        own_task(labels)  # validates the labels
    return Statement(
        labels=None if labels is None else tuple(labels),
        palette=palette,
        normalization=normalization,
        meaning=output_meaning,
    ).over(of_task)


def read_task_file(path: Path, name: str | None = None) -> Statement:
    """Read a file that describes a task, or only lists the class names.

    Args:
        path: path of the file.
        name: name for a task without one; None for the stem of the file.

    Raises:
        UsageError: the file is missing, is not JSON, or is invalid; the message names it.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no task file '{path}'. Give the name of a task ({', '.join(TASKS)}) or a "
            "JSON file with your own labels."
        )
    try:
        data = parse_json(read_limited(path, MAX_BYTES))
        return described(data, path.stem if name is None else name)
    except JsonError as error:
        raise UsageError(
            f"'{path}' cannot be used: {error}. Allowed: a list of class names, or a task."
        ) from error
    except UsageError as error:
        raise UsageError(f"'{path}': {error}") from error


def described(data: object, name: str) -> Statement:
    """Read the description of a task from JSON, or from the attribute of a network.

    Args:
        data: a list of class names, or an object in the short or the full form.
        name: name for a task that has none.

    Raises:
        UsageError: a member is unknown, or a value is invalid.
    """
    if isinstance(data, list | tuple):
        data = {"labels": data}
    if not isinstance(data, Mapping):
        raise UsageError(f"a task is {data!r:.80}. Allowed: a JSON object, or a list of labels.")
    if "schema_version" in data:
        task = Task.from_json(data)
        rule = task.preprocessing
        return Statement(task=task, normalization=Normalization(rule.mean, rule.std))
    if "labels" not in data:
        raise UsageError("the task has no 'labels'. Add a list of the class names.")
    given = data.get("preprocessing", {})
    if not isinstance(given, Mapping):
        raise UsageError(f"preprocessing is {given!r:.80}. Allowed: a JSON object.")
    normalization = _normalization(given)
    task = Task.from_json(_whole(data, given, name))
    if normalization is not None:
        task = _normalized(task, normalization)
    return Statement(task=task, normalization=normalization)


def own_task(labels: Sequence[str], palette: Palette | None = None, name: str = OWN) -> Task:
    """Return a task with these classes and defaults for everything else.

    Raises:
        UsageError: a label is empty or occurs twice, or the palette has another number of colors.
    """
    data = {"labels": list(labels), "palette": None if palette is None else list(palette)}
    return Task.from_json(_whole(data, {}, name))


def _normalized(task: Task, normalization: Normalization) -> Task:
    return Statement(task=task, normalization=normalization).applied_to(task)


def _normalization(given: Mapping[str, Any]) -> Normalization | None:
    values = {key: _numbers(given.get(key), f"preprocessing.{key}") for key in _NORMALIZATION}
    ends = values["input_range"]
    if ends is not None and len(ends) != 2:
        raise UsageError(f"preprocessing.input_range has {len(ends)} numbers. Allowed: 2.")
    return Normalization.stated(
        None if ends is None else (ends[0], ends[1]), values["mean"], values["std"]
    )


def _numbers(value: object, where: str) -> tuple[float, ...] | None:
    if value is None:
        return None
    values: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if not values or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise UsageError(f"{where} is {value!r:.80}. Allowed: a number, or a list of numbers.")
    return tuple(float(number) for number in values)


def _whole(data: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the full form of a short one, with the default normalization."""
    labels = data["labels"]
    usual = get_task(USUAL).preprocessing.to_json()
    if given.get("color_order") == GRAY:
        usual |= {"mean": usual["mean"][:1], "std": usual["std"][:1]}
    named = str(data.get("name", name))
    return {
        "schema_version": SCHEMA_VERSION,
        "name": slug(name),
        "title": named or OWN,
        "kind": "segmentation",
        "source": "a task of a user's own",
        "num_classes": len(labels) if isinstance(labels, list | tuple) else 0,
        "palette": None,
        "ignore_index": IGNORED if not isinstance(labels, list) or len(labels) <= IGNORED else None,
        "label_offset": 0,
        "label_note": LABEL_NOTE,
        **data,
        "preprocessing": usual | {k: v for k, v in given.items() if k not in _NORMALIZATION},
    }


def slug(text: str) -> str:
    """Return a text as a valid name of a task, which becomes part of file names."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or OWN
