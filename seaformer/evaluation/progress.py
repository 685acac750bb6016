"""The file that an evaluation goes on from, whenever it was stopped.

JSON lines: the first says what is evaluated, each other what came of one picture. A line is written
when its picture is done, and never changed. Of one that a stop left unfinished nothing is used. A
picture has several lines if it was broken and repaired: the last one counts.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from seaformer.errors import SeaformerError, UsageError

SCHEMA_VERSION = 1

DATA_SET = "data set"
"""What differs between the shards of one evaluation."""

MAX_LINE_BYTES = 16 * 2**20
"""A line has some numbers for each class of each model."""


class ProgressFile:
    """The lines of an evaluation: first `read` all that there are, then `append`, then `close`."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Open the file, or start it in a folder that exists; `run` is what is evaluated, as JSON.

        Raises:
            UsageError: the file is of another run; the message says what differs.
            SeaformerError: the file is damaged.
            OSError: it cannot be written.
        """
        self._path = path
        self._file = path.open("a+b")
        self._file.seek(0)
        header = self._next()
        if header is None:
            self._file.truncate(0)
            self.append({"schema_version": SCHEMA_VERSION, "run": run})
        elif header.get("run") != run or header.get("schema_version") != SCHEMA_VERSION:
            self._file.close()
            stored = header.get("run") or {}
            differing = [name for name in run if run[name] != stored.get(name)]
            raise UsageError(
                f"'{path}' is of another run: {', '.join(differing) or 'its version'} differed. "
                "Give another --report, or --force to start over."
            )

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what came of the pictures so far, in the order they were done in.

        Raises:
            SeaformerError: the file is damaged.
        """
        end = self._file.tell()
        while (line := self._next()) is not None:
            end = self._file.tell()
            yield line
        self._file.truncate(end)

    def append(self, line: dict[str, Any]) -> None:
        """Write what came of a picture."""
        text = json.dumps(line, separators=(",", ":"))
        self._file.write(text.encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _next(self) -> dict[str, Any] | None:
        return _next_line(self._file, self._path)


def read_shard(path: Path, run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what came of the pictures of a part of the data set, which another run evaluated.

    Args:
        path: of the other run's file.
        run: what is evaluated, as for `ProgressFile`; the data set may be a part of it there.

    Raises:
        UsageError: the file is of other models or another task.
        SeaformerError: it is damaged, or there is none.
    """
    if not path.is_file():
        raise SeaformerError(
            f"there is no progress file '{path}'. Give the --report folder of a shard."
        )
    with path.open("rb") as file:
        header = _next_line(file, path) or {}
        stored = header.get("run") or {}
        differing = [name for name in run if name != DATA_SET and run[name] != stored.get(name)]
        if differing or header.get("schema_version") != SCHEMA_VERSION:
            raise UsageError(
                f"'{path}' is of another run: {', '.join(differing) or 'its version'} differed. "
                "Merge shards of the same models, data set and options."
            )
        while (line := _next_line(file, path)) is not None:
            yield line


def _next_line(file: IO[bytes], path: Path) -> dict[str, Any] | None:
    """Return the next whole line; None if there is none."""
    text = file.readline(MAX_LINE_BYTES)
    if not text.endswith(b"\n") and len(text) < MAX_LINE_BYTES:
        return None
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise SeaformerError(
            f"'{path}' is damaged before byte {file.tell()}: that line is no JSON object. Give "
            "--force to start over."
        )
    return line
