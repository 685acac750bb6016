"""What the search shows its progress with: `seaformer.export.report.Report` has it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class Stage(Protocol):
    """A piece of work; `made` is what came out of it, `show` shows how far it is."""

    made: str
    show: Callable[[str], None]

    def follow(self, items: Iterable[_Item], total: int) -> Iterator[_Item]:
        """Yield the items, and show how many were."""
        ...


class Stages(Protocol):
    """Shows one stage after another."""

    def stage(self, title: str) -> AbstractContextManager[Stage]:
        """Show that something is being worked on, then what it made and its seconds."""
        ...
