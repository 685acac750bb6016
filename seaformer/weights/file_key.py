"""FILE::KEY, the notation for the weights under a key of a checkpoint."""

from pathlib import Path

from seaformer.files import path_exists

SEPARATOR = "::"
"""Separates file and key."""


def split_key(path: Path) -> tuple[Path, str | None]:
    """Split FILE::KEY; the key is None if there is none."""
    if SEPARATOR not in path.name or path_exists(path):
        return path, None
    name, _, key = path.name.rpartition(SEPARATOR)
    return path.with_name(name), key
