"""The console of all commands, which prints untrusted text safely."""

from collections.abc import Iterable
from io import StringIO
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from seaformer.terminal import printable


class Console(rich.console.Console):
    """A console on which printed text cannot control the terminal.

    Every string and `Text`, also in tables and progress displays, is one line of `printable`
    characters. Strings have no markup: a style is an argument of `print`, or part of a `Text`. The
    only escape sequences are Rich's own. Several lines need several prints, or a `Group` in a
    table.
    """

    def __init__(self, **settings: Any) -> None:
        """Create a console; `settings` are Rich's, except those for the parsing of strings."""
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Convert a string to `Text` before Rich measures it or drops characters."""
        return super().render_str(printable(text), **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object; Rich calls this for every `Text` in it."""
        return super().render(
            _printable(renderable) if isinstance(renderable, Text) else renderable, options
        )

    def status(self, status: RenderableType, **settings: Any) -> Status:
        """Show a spinner; Rich's own method would parse markup in a string."""
        return super().status(Text(status) if isinstance(status, str) else status, **settings)


def silent_console() -> Console:
    """Return a console that shows nothing, not even in a notebook."""
    return Console(file=StringIO(), force_jupyter=False)


def _printable(text: Text) -> Text:
    if text.plain == printable(text.plain):
        return text
    letters = text.divide(range(1, len(text)))
    for letter in letters:
        letter.plain = printable(letter.plain)
    return text.blank_copy().join(letters)
