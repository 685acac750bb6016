"""Locks between processes, on folders: what one process works in, no other writes to or removes.

A lock is the kernel's (flock), on the folder itself: it leaves no file behind, and a process that
is killed holds none. It binds only those who ask for it, and works between containers too, whose
process numbers mean nothing to each other.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaformer.errors import SeaformerError

WAIT_S = 60.0
"""What is finished is written within seconds, on slow disks too. Longer than this a lock is held by
a process that writes as it works."""

_TICK_S = 0.05


class LockedError(SeaformerError):
    """Another process holds the lock."""


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a folder, which exists.

    Args:
        folder: to lock.
        wait: whether to wait up to `WAIT_S` for another process that holds it: for writing what is
            finished. Otherwise that is refused at once: for a lock that is held for a whole job.

    Yields:
        Whether it is held: false on a file system without locks, as some network ones are.

    Raises:
        LockedError: another process holds it, still.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + (WAIT_S if wait else 0)
        while (is_held := _lock(descriptor)) is None:
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"another seaformer process is writing to '{folder}'. Wait until it has ended, "
                    "or give another folder."
                )
            time.sleep(_TICK_S)
        yield is_held
    finally:
        os.close(descriptor)  # which releases the lock


def _lock(descriptor: int) -> bool | None:
    """Try to lock; return whether that is possible at all, None if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True
