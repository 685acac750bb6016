"""Locks between processes, on folders: what one process works in, no other writes to or removes.

A lock is the kernel's (flock), on the folder itself: it leaves no file behind, and a process that
is killed holds none. It binds only those who ask for it, and works between containers too, whose
process numbers mean nothing to each other.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaformer.errors import SeaformerError


class LockedError(SeaformerError):
    """Another process holds the lock."""


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a folder, which exists.

    Args:
        folder: to lock.
        wait: whether to wait for another process that holds it. For writing what is finished, which
            takes a moment; a lock that is held for a whole job is refused at once.

    Yields:
        Whether it is held: false on a file system without locks, as some network ones are.

    Raises:
        LockedError: another process holds it, and `wait` is false.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        is_held = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise LockedError(
                f"another seaformer process is writing to '{folder}'. Wait until it has ended, or "
                "give another folder."
            ) from None
        except OSError:
            is_held = False
        yield is_held
    finally:
        os.close(descriptor)  # which releases the lock
