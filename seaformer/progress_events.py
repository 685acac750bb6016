"""How far a piece of work is: events for a callback in this process, or for another program.

To a program that started this one they are one JSON object a line, on a pipe.

The program that listens opens a pipe, hands its writing end on, and puts the number of that
descriptor into the environment variable `VARIABLE`. Nobody has to read what a command prints.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

VARIABLE = "SEAFORMER_PROGRESS_FD"


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StageFinished(_Event):
    """A piece of work, such as "trace to ONNX", is done; `made` is what came of it, in words."""

    event: Literal["stage finished"] = "stage finished"
    title: str
    made: str
    seconds: float


class StageAdvanced(_Event):
    """A piece of work has done so many steps of so many."""

    event: Literal["stage advanced"] = "stage advanced"
    title: str
    done: int
    total: int


class FileWritten(_Event):
    """A file is complete; `path` is absolute or from where the command was started."""

    event: Literal["file written"] = "file written"
    path: Path


Event = Annotated[StageFinished | StageAdvanced | FileWritten, Field(discriminator="event")]

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


_CALLBACK: ContextVar[Callable[[Event], None] | None] = ContextVar("callback", default=None)


@contextmanager
def reporting_to(callback: Callable[[Event], None] | None) -> Iterator[None]:
    """Call a function with every event of this context; a thread has it if it runs in a copy."""
    token = _CALLBACK.set(callback)
    try:
        yield
    finally:
        _CALLBACK.reset(token)


def notify(event: Event) -> None:
    """Report an event to the callback and to the program that listens, as far as there are any."""
    if (callback := _CALLBACK.get()) is not None:
        callback(event)
    descriptor = _descriptor()
    if descriptor is not None:
        with suppress(OSError):
            os.write(descriptor, _EVENT.dump_json(event) + b"\n")


def read_event(line: str) -> Event:
    """Read a line of what a command reports; raises ValueError if it is no event."""
    return _EVENT.validate_json(line)


@cache
def _descriptor() -> int | None:
    # Taken out, so that programs that this one starts do not write to whatever has that number.
    number = os.environ.pop(VARIABLE, "")
    return int(number) if number.isdecimal() else None
