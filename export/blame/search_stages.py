"""Interface to show the progress of a search; `seaformer.export.report.Report` implements it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class Stage(Protocol):
    """A stage of the search; `result` describes its outcome, `show` displays its progress."""

    result: str
    show: Callable[[str], None]

    def follow(self, items: Iterable[_Item], total: int) -> Iterator[_Item]:
        """Yield the items and show the progress."""
        ...


class Stages(Protocol):
    """Shows one stage after another."""

    def stage(self, title: str) -> AbstractContextManager[Stage]:
        """Show a stage while it runs, then its result and its duration in seconds."""
        ...
