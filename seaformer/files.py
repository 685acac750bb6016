"""Writing files so that a name holds the whole content or nothing new, and their hashes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaformer.errors import SeaformerError, UsageError
from seaformer.temporary_folders import temporary_folder


def refuse_existing(path: str | Path, force: bool) -> None:
    """Check that a file may be written; call it before the work whose result goes there.

    Raises:
        UsageError: the folder is missing or closed to us, `path` is something else than a regular
            file, or it exists and `force` is false.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        # As root, a rename over /dev/null would succeed and break the machine.
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise UsageError(f"cannot write '{path}': it is {kind}. Give the name of a file.")
    if path.exists() and not force:
        raise UsageError(f"'{path}' exists. Give another name, or --force to overwrite it.")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write '{path}': there is no folder '{path.parent}'. Create it.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write '{path}': the folder '{path.parent}' is read-only to you.")


@contextmanager
def atomic_write(path: str | Path, *, replace: bool = True) -> Iterator[Path]:
    """Write a file in a temporary folder beside `path`, which it becomes when the block ends well.

    A reader of `path` sees the old file or the whole new one, never a part. If the block raises
    anything, Ctrl-C included, `path` is as it was. A `path` that is a symbolic link stays one: the
    file it points to is replaced.

    Args:
        path: of the file.
        replace: whether a file that is there is replaced; otherwise one that another process has
            written since `refuse_existing` stays.

    Yields:
        The temporary file: new, empty, and of the same name, whose suffix many writers choose the
        format by. Write to it by name.

    Raises:
        UsageError: there is a file, and `replace` is false.
        OSError: the file cannot be written: disk full, no permission, no such folder. It names
            `path`.
    """
    target = Path(os.path.realpath(path))
    with temporary_folder("draft", target.parent) as folder:
        draft = folder / target.name
        try:
            draft.touch()
            yield draft
            with draft.open("r+b") as file:
                os.fsync(file.fileno())
            if replace:
                draft.replace(target)
            else:
                _rename_to_new(draft, target)
        except OSError as error:
            # A full disk has no name, and that of the draft says nothing to a user.
            if error.filename in (None, str(draft)):
                error.filename, error.filename2 = str(path), None
            raise


def _rename_to_new(draft: Path, target: Path) -> None:
    """Rename a file to a name that nothing has; of two processes that do so, one fails."""
    try:
        try:
            target.hardlink_to(draft)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            target.touch(exist_ok=False)
            draft.replace(target)
    except FileExistsError:
        raise UsageError(
            f"'{target}' has been written by another process meanwhile. Give another name, or "
            "--force to overwrite it."
        ) from None


class TooLargeError(SeaformerError):
    """A file has more bytes than a file of its kind can have."""


def read_limited(path: Path, limit: int) -> bytes:
    """Return the content of a file that has at most `limit` bytes, whatever lies there instead.

    Raises:
        TooLargeError: it is larger.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise TooLargeError(
            f"'{path}' has more than {limit / 2**20:.3g} MiB, the most that is read of a file of "
            "its kind. Give the file that was meant."
        )
    return content


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, as `atomic_write` does; raises OSError like it."""
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
