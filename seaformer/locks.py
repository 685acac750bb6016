"""Locks on folders: while one process works in a folder, no other writes to it or removes it.

A lock is a lock of the kernel (flock) on the folder itself: it leaves no file behind, and is
released when a process is killed. It is advisory, and works between containers too, whose process
ids are unrelated.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaformer.errors import SeaformerError

WAIT_S = 60.0
"""Finished results are written within seconds, even on slow disks. A lock that is held for longer
belongs to a process that writes while it works."""

_TICK_S = 0.05


class LockedError(SeaformerError):
    """Another process holds the lock."""


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of an existing folder.

    Args:
        folder: folder to lock.
        wait: whether to wait up to `WAIT_S` while another process holds the lock, which is for
            writing finished results; otherwise, fail at once, which is for locks held for a whole
            run.

    Yields:
        Whether the lock is held; false on file systems without locks, such as some network file
        systems.

    Raises:
        LockedError: another process holds the lock.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + (WAIT_S if wait else 0)
        while (is_held := _lock(descriptor)) is None:
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"another seaformer process is writing to '{folder}'. Wait until it has "
                    "finished, or give another folder."
                )
            time.sleep(_TICK_S)
        yield is_held
    finally:
        os.close(descriptor)  # which releases the lock


def _lock(descriptor: int) -> bool | None:
    """Try to lock; return whether locks are supported, or None if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True
