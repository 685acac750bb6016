"""Base classes of the JSON objects of a benchmark: strict, frozen, and serialized in one way."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """An immutable object that allows no unknown members."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Document(FrozenModel):
    """A whole file."""

    schema_version: Literal[1] = 1

    def text(self) -> str:
        """Write the object as JSON."""
        return self.model_dump_json(indent=1) + "\n"


class StudyDocument(Document):
    """Results of a study; the individual runs are in the results.json of its benchmarks.

    Attributes:
        created_at: when it started.
        command: the command line, to run it again.
        conditions: device, processor, runtime, threads and cores, as text.
        emulated: whether the device's processor is emulated.
    """

    created_at: datetime
    command: str
    conditions: str
    emulated: bool


class LongRunsDocument(StudyDocument):
    """Results of models that ran for minutes.

    Attributes:
        interrupted: whether Ctrl-C stopped it.
        results: path of the results.json, relative to the folder of this file.
        problem: why the measurement is incomplete; null if it is complete.
        warnings: caveats about the numbers.
    """

    interrupted: bool
    results: str
    problem: str | None
    warnings: tuple[str, ...]
