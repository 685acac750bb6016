"""The console of all commands: what is printed is text, whoever wrote it."""

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
    """A console on which nothing that is printed can act on the terminal.

    Every string and `Text`, also in tables and progress displays, is one line of `printable`
    letters. Strings have no markup: a style is an argument of `print`, or a `Text` that has it.
    The only escape sequences are Rich's own. Lines are several prints, or a `Group` in a table.
    """

    def __init__(self, **settings: Any) -> None:
        """Make a console; `settings` are Rich's, except those that say how strings are read."""
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Make a `Text` of a string, before Rich measures it or drops a character."""
        return super().render_str(printable(text), **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Draw an object; Rich comes here with every `Text` of it."""
        return super().render(
            _printable(renderable) if isinstance(renderable, Text) else renderable, options
        )

    def status(self, status: RenderableType, **settings: Any) -> Status:
        """Show that work goes on; of a string, Rich's own method would read markup."""
        return super().status(Text(status) if isinstance(status, str) else status, **settings)


def silent_console() -> Console:
    """Return a console that shows nothing, in a notebook either."""
    return Console(file=StringIO(), force_jupyter=False)


def _printable(text: Text) -> Text:
    if text.plain == printable(text.plain):
        return text
    letters = text.divide(range(1, len(text)))
    for letter in letters:
        letter.plain = printable(letter.plain)
    return text.blank_copy().join(letters)
