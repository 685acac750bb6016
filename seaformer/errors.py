"""The errors of the project: each names the bad value, the allowed values, and what to do next."""

import os
import traceback
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

_Row = TypeVar("_Row")

MAX_QUOTED = 160
"""Maximum number of characters of a value in a message: a file may contain values of any length."""


TRACEBACK = "SEAFORMER_TRACEBACK"
"""Environment variable: if it is set, unexpected errors are shown with their traceback."""


class SeaformerError(ValueError):
    """The work failed. Commands print the message as one line and exit with status 1."""


class UsageError(SeaformerError):
    """The request is invalid. Commands print the message as one line and exit with status 2."""


class UnknownNameError(UsageError):
    """The name is not in the table in which it was looked up."""


def quoted(value: object) -> str:
    """Format an untrusted value for a message: in quotes, escaped, on one short line."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 4]}...{text[-1]}"


def unknown_name(kind: str, value: str, valid: Iterable[str]) -> UnknownNameError:
    """Build the error for `value`, which is not a valid name of a `kind` ("task")."""
    names = sorted(valid)
    near = get_close_matches(value.lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UnknownNameError(f"unknown {kind} {quoted(value)}.{hint} Valid: {', '.join(names)}.")


def look_up(table: Mapping[str, _Row], kind: str, name: str) -> _Row:
    """Return the row called `name` of a table; `kind` is the noun for a row in messages ("format").

    Raises:
        UnknownNameError: there is no such row; the message lists the valid names.
    """
    if name not in table:
        raise unknown_name(kind, name, table)
    return table[name]


def explanation(error: Exception) -> str:
    """Describe an error to a user; with `TRACEBACK`, print the traceback if it is unexpected."""
    if isinstance(error, SeaformerError):
        return str(error)
    if isinstance(error, OSError):
        name = "" if error.filename is None else f": '{os.fsdecode(error.filename)}'"
        return f"{error.strerror or error}{name}"
    if isinstance(error, MemoryError):
        return "out of memory. Close other programs, or use a smaller input."
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    return (
        f"unexpected {type(error).__name__}: {error} (a bug in seaformer: run again with "
        f"{TRACEBACK}=1 and report the output)"
    )


def is_expected(error: Exception) -> bool:
    """Whether an error is of an expected type, rather than a bug in seaformer."""
    return isinstance(error, SeaformerError | OSError | MemoryError)
