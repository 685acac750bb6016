"""Writing files atomically, reading files with limits, and hashing them."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seaformer.errors import SeaformerError, UsageError
from seaformer.temporary_folders import temporary_folder


def refuse_existing(path: str | Path, force: bool) -> None:
    """Check that a file may be written; to be called before the work whose result it stores.

    Raises:
        UsageError: the folder is missing or not writable, `path` is not a regular file, or it
            exists and `force` is false.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        # For root, a rename over /dev/null would succeed and break the system.
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise UsageError(f"cannot write '{path}': it is {kind}. Give the name of a file.")
    if path.exists() and not force:
        raise UsageError(f"'{path}' exists. Give another name, or --force to overwrite it.")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write '{path}': there is no folder '{path.parent}'. Create it.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write '{path}': no write permission for '{path.parent}'.")


def path_exists(text: str | Path) -> bool:
    """Whether a text, not necessarily a path, is the path of an existing file or folder."""
    try:
        return Path(text).exists()
    except OSError:  # longer than file names may be
        return False


@contextmanager
def created_folder(path: Path) -> Iterator[None]:
    """Create a folder and its parents; if the block raises, remove those that are new and empty.

    Raises:
        OSError: the folder cannot be created.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # not empty, or removed by another process
            for folder in missing:
                folder.rmdir()
        raise


@contextmanager
def atomic_write(path: str | Path, *, replace: bool = True) -> Iterator[Path]:
    """Write a file in a temporary folder, and move it to `path` when the block succeeds.

    A reader of `path` sees either the old file or the complete new file. If the block raises,
    including Ctrl-C, `path` is unchanged. If `path` is a symbolic link, its target is replaced.

    Args:
        path: path of the file.
        replace: whether to replace an existing file; if not, a file that another process has
            written since `refuse_existing` is preserved.

    Yields:
        The temporary file: new, empty, and with the same name, because many writers choose the
        format by the suffix. Write to it by name.

    Raises:
        UsageError: there is a file, and `replace` is false.
        OSError: the file cannot be written: disk full, no permission, no such folder. The error
            names `path`.
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
            # The error for a full disk has no file name, and the draft's name would not help users.
            if error.filename in (None, str(draft)):
                error.filename, error.filename2 = str(path), None
            raise


def _rename_to_new(draft: Path, target: Path) -> None:
    """Rename a file to a name that must not exist; if two processes do so, one fails."""
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
            f"'{target}' has been written by another process in the meantime. Give another name, "
            "or --force to overwrite it."
        ) from None


class TooLargeError(SeaformerError):
    """A file is larger than any valid file of its type."""


def read_limited(path: Path, limit: int) -> bytes:
    """Return the content of a file, of which at most `limit` bytes are read.

    Raises:
        TooLargeError: the file is larger.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise TooLargeError(
            f"'{path}' has more than {limit / 2**20:.3g} MiB, the limit for this type of file. "
            "Give the right file."
        )
    return content


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8 with `atomic_write`; raise OSError like it."""
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; raise OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
