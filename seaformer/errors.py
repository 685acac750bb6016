"""The errors of the project: each names the bad value, what is allowed and what to do next."""

import os
import traceback
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

_Row = TypeVar("_Row")

MAX_QUOTED = 160
"""Characters of a value in a message: whoever wrote the file may have written a million."""


TRACEBACK = "SEAFORMER_TRACEBACK"
"""Environment variable: if it is set, an error that nobody foresaw is shown with its traceback."""


class SeaformerError(ValueError):
    """A job that cannot be done. Commands print it in one line and exit with status 1."""


class UsageError(SeaformerError):
    """A request that makes no sense as it stands. Commands print it and exit with status 2."""


class UnknownNameError(UsageError):
    """A name that is not in the table it was looked up in."""


def quoted(value: object) -> str:
    """Write a value that came from data for a message: in quotes, escaped, on one short line."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 4]}...{text[-1]}"


def unknown_name(kind: str, value: str, valid: Iterable[str]) -> UnknownNameError:
    """Build the error for `value`, which is not among the `valid` names of a `kind` ("task")."""
    names = sorted(valid)
    near = get_close_matches(value.lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UnknownNameError(f"unknown {kind} '{value}'.{hint} Valid: {', '.join(names)}.")


def look_up(table: Mapping[str, _Row], kind: str, name: str) -> _Row:
    """Return the row called `name` of a table; a row is a `kind`, in the singular ("format").

    Raises:
        UnknownNameError: there is none; the message lists those there are.
    """
    if name not in table:
        raise unknown_name(kind, name, table)
    return table[name]


def explanation(error: Exception) -> str:
    """Describe an error to a user; with `TRACEBACK`, print the traceback of an unforeseen one."""
    if isinstance(error, SeaformerError):
        return str(error)
    if isinstance(error, OSError):
        name = "" if error.filename is None else f": '{os.fsdecode(error.filename)}'"
        return f"{error.strerror or error}{name}"
    if isinstance(error, MemoryError):
        return "out of memory. Close other programs, or take a smaller input."
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    return (
        f"unexpected {type(error).__name__}: {error} (a fault of seaformer: run again with "
        f"{TRACEBACK}=1 and report what it prints)"
    )


def is_foreseen(error: Exception) -> bool:
    """Whether an error is none of seaformer's own faults."""
    return isinstance(error, SeaformerError | OSError | MemoryError)
