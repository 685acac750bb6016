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
    """A piece of work is done.

    Attributes:
        title: of the piece, such as "trace to ONNX".
        made: what came out of it, in words; may be empty.
        seconds: how long it took.
    """

    event: Literal["stage finished"] = "stage finished"
    title: str
    made: str
    seconds: float


class StageAdvanced(_Event):
    """A piece of work is under way.

    Attributes:
        title: of the piece.
        done: how many of its steps are done.
        total: how many it has.
    """

    event: Literal["stage advanced"] = "stage advanced"
    title: str
    done: int
    total: int


class FileWritten(_Event):
    """A file that was asked for is complete.

    Attributes:
        path: absolute, or from the folder that the command was started in.
    """

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
    """Read a line of what a command reports.

    Raises:
        ValueError: it is no event.
    """
    return _EVENT.validate_json(line)


@cache
def _descriptor() -> int | None:
    # Taken out, so that programs that this one starts do not write to whatever has that number.
    number = os.environ.pop(VARIABLE, "")
    return int(number) if number.isdecimal() else None
