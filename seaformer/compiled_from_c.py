"""Files compiled from C: part of an installed package, compiled at first use in a clone."""

from collections.abc import Callable
from pathlib import Path

from seaformer.console import Console
from seaformer.errors import SeaformerError


def require_compiled(
    path: Path,
    note: str,
    fingerprint: Callable[[], str],
    build: Callable[[], None],
    *,
    title: str,
) -> Path:
    """Return a compiled file; compile it first if it is missing or its sources have changed.

    Args:
        path: path of the file.
        note: name of the file beside it with the fingerprint of its sources.
        fingerprint: returns the fingerprint of the current sources.
        build: compiles the file and writes its note.
        title: title of the file, for messages, such as "the runner for linux-arm64".

    Raises:
        SeaformerError: it is missing and cannot be compiled or written.
    """
    try:
        found = path.with_name(note)
        exists = path.is_file() and found.is_file()
        if not exists or found.read_text().strip() != fingerprint():
            Console(stderr=True, soft_wrap=True).print(f"compiling {title}")
            build()
    except OSError as error:
        raise SeaformerError(f"cannot write {title} to '{path.parent}': {error}.") from error
    return path
