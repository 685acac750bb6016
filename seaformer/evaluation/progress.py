"""The progress file, from which an interrupted evaluation resumes.

JSON lines: the first describes the evaluation, each of the others is the outcome of one image. A
line is written when its image is done, and never changed; an incomplete last line is ignored. An
image that was broken and then repaired has several lines, of which the last counts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel

from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.tally import Counts
from seaformer.json_text import JsonError, parse_model

SCHEMA_VERSION = 1

DATA_SET = "data set"
"""Name of the only member of the header that differs between the shards of an evaluation."""

MAX_LINE_BYTES = 16 * 2**20
"""Limit for one line, which has several numbers for each class of each model."""


class ImageLine(BaseModel, frozen=True):
    """The outcome of one image.

    Attributes:
        name: name of the image.
        broken: why it could not be evaluated; None if it was.
        stamp: size and modification time of its files, to detect changes.
        models: the counts of each model.
    """

    name: str
    broken: str | None = None
    stamp: tuple[tuple[int, int], ...] = ()
    models: tuple[Counts, ...] = ()


class _Header(BaseModel, frozen=True):
    schema_version: int
    run: dict[str, Any]


_Line = TypeVar("_Line", _Header, ImageLine)


class ProgressFile:
    """The progress file of a run: `read` the existing lines, `append` new ones, then `close`."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Open or create the file; its folder has to exist. `run` describes the run, as JSON.

        Raises:
            UsageError: the file belongs to a different run; the message says what differs.
            SeaformerError: the file is damaged.
            OSError: it cannot be written.
        """
        self._path = path
        self._file = path.open("a+b")
        self._file.seek(0)
        header = self._next(_Header)
        if header is None:
            self._file.truncate(0)
            self._write(_Header(schema_version=SCHEMA_VERSION, run=run))
        elif header.run != run or header.schema_version != SCHEMA_VERSION:
            self._file.close()
            stored = header.run
            differing = [name for name in run if run[name] != stored.get(name)]
            raise UsageError(
                f"'{path}' belongs to a different run; different: "
                f"{', '.join(differing) or 'its version'}. "
                "Give another --report, or --force to start over."
            )

    def read(self) -> Iterator[ImageLine]:
        """Yield the outcomes of the images so far, in the order of their evaluation.

        Raises:
            SeaformerError: the file is damaged.
        """
        end = self._file.tell()
        while (line := self._next(ImageLine)) is not None:
            end = self._file.tell()
            yield line
        self._file.truncate(end)

    def append(self, line: ImageLine) -> None:
        """Write the outcome of an image."""
        self._write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def damaged(self, problem: str) -> SeaformerError:
        """Return an error about the last line that was read."""
        return _damaged(self._file, self._path, problem)

    def _write(self, line: ImageLine | _Header) -> None:
        self._file.write(line.model_dump_json(exclude_defaults=True).encode() + b"\n")
        self._file.flush()

    def _next(self, kind: type[_Line]) -> _Line | None:
        return _next_line(self._file, self._path, kind)


def read_shard(path: Path, run: dict[str, Any]) -> Iterator[ImageLine]:
    """Yield the outcome of each image of a shard, which another run evaluated.

    Args:
        path: progress file of the other run.
        run: description of this run, as for `ProgressFile`; the shard may differ in its data set.

    Raises:
        UsageError: the file belongs to other models or another task.
        SeaformerError: it is damaged or missing.
    """
    if not path.is_file():
        raise SeaformerError(
            f"there is no progress file '{path}'. Give the --report folder of a shard."
        )
    with path.open("rb") as file:
        header = _next_line(file, path, _Header)
        stored = {} if header is None else header.run
        differing = [name for name in run if name != DATA_SET and run[name] != stored.get(name)]
        if header is None or differing or header.schema_version != SCHEMA_VERSION:
            raise UsageError(
                f"'{path}' belongs to a different run; different: "
                f"{', '.join(differing) or 'its version'}. "
                "Merge shards of the same models, data set and options."
            )
        while (line := _next_line(file, path, ImageLine)) is not None:
            yield line


def read_images(path: Path) -> Iterator[ImageLine]:
    """Yield the outcome of each image of a finished evaluation.

    Raises:
        SeaformerError: the file is damaged.
    """
    with path.open("rb") as file:
        _next_line(file, path, _Header)
        while (line := _next_line(file, path, ImageLine)) is not None:
            yield line


def _next_line(file: IO[bytes], path: Path, kind: type[_Line]) -> _Line | None:
    """Return the next complete line; None at the end."""
    text = file.readline(MAX_LINE_BYTES)
    if not text.endswith(b"\n") and len(text) < MAX_LINE_BYTES:
        return None
    try:
        return parse_model(kind, text)
    except JsonError as error:
        raise _damaged(file, path, str(error)) from error


def _damaged(file: IO[bytes], path: Path, problem: str) -> SeaformerError:
    position = file.tell()
    return SeaformerError(
        f"'{path}' is damaged before byte {position}: {problem}. Give --force to start over."
    )
