"""Types of options: what a word is read as, with our own one-line errors, and how it completes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from seaformer.errors import look_up

SEPARATOR = ","


class Parsed(click.ParamType):
    """A word that `parse` reads, which raises UsageError for one that it does not take.

    The names complete in a shell, also behind a comma.
    """

    name = "text"

    def __init__(self, parse: Callable[[str], Any], names: Iterable[str] = ()) -> None:
        self._parse = parse
        self._names = tuple(names)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a word; what was read before stays."""
        del param, ctx  # our errors name the option or the table themselves
        return self._parse(value) if isinstance(value, str) else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that the word, or the last of several, can become."""
        del ctx, param
        before, comma, last = incomplete.rpartition(SEPARATOR)
        names = (name for name in self._names if name.startswith(last))
        return [CompletionItem(f"{before}{comma}{name}") for name in names]


class Name(Parsed):
    """A name in a table, which stays as it is; a row is a `kind` ("backend") in the error."""

    def __init__(self, kind: str, table: Mapping[str, Any]) -> None:
        def check(name: str) -> str:
            look_up(table, kind, name)
            return name

        super().__init__(check, table)
