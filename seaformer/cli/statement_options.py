"""The options that describe the input and output of a network, the same in all commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import click

from seaformer.errors import UsageError
from seaformer.files import path_exists, read_limited
from seaformer.tasks import TASKS
from seaformer.tasks.statement import MEANINGS, Palette, Statement

_Function = TypeVar("_Function", bound=Callable[..., Any])

MAX_BYTES = 2**20
"""Largest file with names or colors."""

_OPTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "task": (
            "NAME|FILE.json",
            f"Task that the network was trained for: {', '.join(TASKS)}, or a file that "
            "describes your own task, see docs/own_networks.md.",
        ),
        "labels": (
            "FILE|A,B,...",
            "Class names in order: a text file with one name per line, a JSON list, or the names "
            "themselves.",
        ),
        "palette": (
            "FILE|RRGGBB,...",
            "Color of each class: a text file with one color per line, a JSON list of [red, "
            "green, blue], or the colors themselves.",
        ),
        "input_range": (
            "LOW..HIGH",
            "Range that pixels of 0..255 are first scaled to: 0..1, -1..1 or 0..255.",
        ),
        "mean": (
            "X|X,Y,Z",
            "Subtracted after scaling, in units of --input-range; one number, or one per channel.",
        ),
        "std": ("X|X,Y,Z", "Divisor after --mean is subtracted; one number, or one per channel."),
        "output_meaning": (
            "MEANING",
            f"What the output is: {', '.join(MEANINGS)}. [default: as recorded with the network; "
            "otherwise detected from type, shape and values, and printed]",
        ),
    }
)
"""Parameter name of each option -> metavar and help."""


def statement_options(
    *names: str, defaults: Mapping[str, str] = MappingProxyType({})
) -> Callable[[_Function], _Function]:
    """Add the options with these names, or all; `read_statement` reads their values.

    `defaults` maps a name to the description of its default in the help.
    """

    def add(function: _Function) -> _Function:
        for name in reversed(names or tuple(_OPTIONS)):
            metavar, text = _OPTIONS[name]
            default = f" [default: {defaults[name]}]" if name in defaults else ""
            option = click.option(
                f"--{name.replace('_', '-')}", metavar=metavar, help=f"{text}{default}"
            )
            function = option(function)
        return function

    return add


def read_statement(
    task: str | None = None,
    labels: str | None = None,
    palette: str | None = None,
    input_range: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    output_meaning: str | None = None,
) -> Statement:
    """Read the values of the options.

    Raises:
        UsageError: a value is invalid.
    """
    from seaformer.tasks.task_file import make_statement

    return make_statement(
        task,
        None if labels is None else _labels(labels),
        None if palette is None else _palette(palette),
        None if input_range is None else _range(input_range),
        None if mean is None else _numbers(mean, "--mean"),
        None if std is None else _numbers(std, "--std"),
        output_meaning,
    )


def read_output(outputs: Sequence[str], meaning: str | None) -> tuple[Path, str | None]:
    """Read the values of --output, a folder or an output meaning, and of --output-meaning.

    Raises:
        UsageError: there are two folders or two meanings.
    """
    meanings = [text for text in outputs if text in MEANINGS] + [meaning] * (meaning is not None)
    folders = [text for text in outputs if text not in MEANINGS]
    for what, values in (("folder", folders), ("meaning", meanings)):
        if len(values) > 1:
            raise UsageError(f"--output names {' and '.join(map(str, values))}. Give one {what}.")
    return Path(*folders) if folders else Path("build"), meanings[0] if meanings else None


def _labels(text: str) -> tuple[str, ...]:
    found = _list(text, "--labels")
    return tuple(str(label).strip() for label in found)


def _palette(text: str) -> Palette:
    return tuple(_color(color) for color in _list(text, "--palette"))


def _color(color: object) -> tuple[int, int, int]:
    channels: Sequence[Any] = color if isinstance(color, list) else ()
    if isinstance(color, str) and re.fullmatch(r"#?[0-9a-fA-F]{6}", color.strip()):
        channels = list(bytes.fromhex(color.strip().removeprefix("#")))
    if len(channels) != 3 or any(type(c) is not int or not 0 <= c <= 255 for c in channels):
        raise UsageError(
            f"--palette has the color {color!r:.80}. Allowed: RRGGBB, or, in a JSON file, "
            "[red, green, blue] with values of 0..255."
        )
    return channels[0], channels[1], channels[2]


def _list(text: str, option: str) -> list[Any]:
    """Read a list: a text file with one entry per line, a JSON list, or comma-separated words."""
    from seaformer.json_text import JsonError, parse_json

    path = Path(text)
    if not (path_exists(text) and path.is_file()):
        if path.suffix in (".json", ".txt") or "/" in text:
            raise UsageError(f"{option}: file '{text}' does not exist. Check its name.")
        return text.split(",")
    content = read_limited(path, MAX_BYTES)
    try:
        if path.suffix == ".json":
            entries = parse_json(content)
            if not isinstance(entries, list):
                raise JsonError("it is not a list")
            return entries
        return [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except (JsonError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{option}: '{path}' cannot be used: {error}. Allowed: a JSON list in a .json file, or "
            "a text file with one entry per line."
        ) from error


def _range(text: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    try:
        if not dots:
            raise ValueError
        return float(low), float(high)
    except ValueError as error:
        raise UsageError(
            f"--input-range is '{text}'. Allowed: LOW..HIGH, such as 0..1, -1..1 or 0..255."
        ) from error


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{option} is '{text}'. Allowed: one number, or comma-separated numbers, one per "
            "channel."
        ) from error
