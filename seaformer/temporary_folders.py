"""Temporary folders, which a process that is killed leaves behind only until the next needs one.

Each is locked by the process that made it. One that is not locked has no owner any more, and is
removed when another process makes one beside it.
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
    """Make a folder that is removed when the block is left; see also `remove_abandoned`.

    Args:
        purpose: part of its name, such as "export".
        parent: folder to make it in; None for the system's, or what TMPDIR says.

    Raises:
        OSError: it cannot be made.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    remove_abandoned(parent)
    with ExitStack() as stack:
        folder = _make(f"{PREFIX}{purpose}-", parent, stack)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _make(prefix: str, parent: Path, stack: ExitStack) -> Path:
    """Make a folder and lock it until the stack is left."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # Between the two calls another process may take it for abandoned.
        with suppress(LockedError, FileNotFoundError):
            stack.enter_context(locked(folder))
            if folder.exists():
                return folder


@cache
def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders of dead processes from a folder, once in each process."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(LockedError, OSError), locked(folder) as is_held:
            if is_held and folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder)
