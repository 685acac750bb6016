"""Progress events, for a callback in this process or for the program that started it.

For another program, events are JSON objects, one per line, on a pipe. That program opens the pipe,
passes on its writing end, and sets the environment variable `VARIABLE` to the number of that
descriptor, so that it need not parse the output of a command.
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
    """A stage, such as "trace to ONNX", is finished; `result` is a short description."""

    event: Literal["stage finished"] = "stage finished"
    title: str
    result: str
    seconds: float


class StageAdvanced(_Event):
    """A stage has finished `done` of `total` steps."""

    event: Literal["stage advanced"] = "stage advanced"
    title: str
    done: int
    total: int


class FileWritten(_Event):
    """A file is complete; `path` is absolute or relative to the working directory."""

    event: Literal["file written"] = "file written"
    path: Path


Event = Annotated[StageFinished | StageAdvanced | FileWritten, Field(discriminator="event")]

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


_CALLBACK: ContextVar[Callable[[Event], None] | None] = ContextVar("callback", default=None)


@contextmanager
def reporting_to(callback: Callable[[Event], None] | None) -> Iterator[None]:
    """Call a function with every event of this context, or of threads that run in a copy of it."""
    token = _CALLBACK.set(callback)
    try:
        yield
    finally:
        _CALLBACK.reset(token)


def notify(event: Event) -> None:
    """Report an event to the callback and to the listening program, if there are any."""
    if (callback := _CALLBACK.get()) is not None:
        callback(event)
    descriptor = _descriptor()
    if descriptor is not None:
        with suppress(OSError):
            os.write(descriptor, _EVENT.dump_json(event) + b"\n")


def read_event(line: str) -> Event:
    """Parse a line that a command reports; raise ValueError if it is not an event."""
    return _EVENT.validate_json(line)


@cache
def _descriptor() -> int | None:
    # The variable is removed, so that child processes do not write to an unrelated descriptor.
    number = os.environ.pop(VARIABLE, "")
    return int(number) if number.isdecimal() else None
