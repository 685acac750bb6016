"""How far a command is, told to a program that started it: one JSON object a line, on a pipe.

The program that listens opens a pipe, hands its writing end on, and puts the number of that
descriptor into the environment variable `VARIABLE`. Nobody has to read what a command prints.
"""

import os
from contextlib import suppress
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


def notify(event: Event) -> None:
    """Tell the program that listens, if there is one; it may have ended meanwhile."""
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
