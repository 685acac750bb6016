"""Temporary folders that are removed even if their process is killed.

Each folder is locked by the process that created it. A folder without a lock has no owner any more,
and is removed when another process creates one in the same place.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from seaformer.locks import LockedError, locked

PREFIX = ".seaformer-temporary-"


@contextmanager
def temporary_folder(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """Create a folder that is removed at the end of the block; see also `remove_abandoned`.

    Args:
        purpose: component of its name, such as "export".
        parent: folder to create it in; None for TMPDIR or the default of the system.

    Raises:
        OSError: it cannot be created.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    remove_abandoned(parent)
    with ExitStack() as stack:
        folder = _make(f"{PREFIX}{purpose}-", parent, stack)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _make(prefix: str, parent: Path, stack: ExitStack) -> Path:
    """Create a folder and lock it until the stack is closed."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # Between the two calls, another process may consider it abandoned.
        with suppress(LockedError, FileNotFoundError):
            stack.enter_context(locked(folder))
            if folder.exists():
                return folder


@cache
def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders of dead processes from a folder, once per process."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(LockedError, OSError), locked(folder) as is_held:
            if is_held and folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder)
