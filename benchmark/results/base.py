"""What all objects in the JSON files of a benchmark share: strict, frozen, and one way to write."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """An object whose members are all known, and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Document(FrozenModel):
    """A whole file."""

    schema_version: Literal[1] = 1

    def text(self) -> str:
        """Write the object as JSON."""
        return self.model_dump_json(indent=1) + "\n"


class StudyDocument(Document):
    """What a study found; the runs themselves are in the results.json of its benchmarks.

    Attributes:
        created_at: when it began.
        command: what was asked for, to be pasted again.
        conditions: device, processor, runtime, threads and cores, in words.
        emulated: whether the device's processor is.
    """

    created_at: datetime
    command: str
    conditions: str
    emulated: bool
