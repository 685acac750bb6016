"""FILE::KEY, which is how the weights under a key of a checkpoint are given."""

from pathlib import Path

SEPARATOR = "::"
"""Between a file and the key of the weights to take."""


def split_key(path: Path) -> tuple[Path, str | None]:
    """Split FILE::KEY; the key is None without one."""
    if SEPARATOR not in path.name or path.exists():
        return path, None
    name, _, key = path.name.rpartition(SEPARATOR)
    return path.with_name(name), key
