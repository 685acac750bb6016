"""Option types: parsing with our own one-line errors, and shell completion."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from seaformer.errors import look_up

SEPARATOR = ","


class Parsed(click.ParamType):
    """A value that `parse` reads; `parse` raises UsageError if the value is invalid.

    Shells complete the names, also after a comma.
    """

    name = "text"

    def __init__(self, parse: Callable[[str], Any], names: Iterable[str] = ()) -> None:
        self._parse = parse
        self._names = tuple(names)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a string; return any other value, which is already parsed, unchanged."""
        del param, ctx  # our errors already name the option or the table
        return self._parse(value) if isinstance(value, str) else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that complete the word, or the last word of a list."""
        del ctx, param
        before, comma, last = incomplete.rpartition(SEPARATOR)
        names = (name for name in self._names if name.startswith(last))
        return [CompletionItem(f"{before}{comma}{name}") for name in names]


class Name(Parsed):
    """A key of a table, returned unchanged; errors call a row of the table a `kind` ("backend")."""

    def __init__(self, kind: str, table: Mapping[str, Any]) -> None:
        def check(name: str) -> str:
            look_up(table, kind, name)
            return name

        super().__init__(check, table)
