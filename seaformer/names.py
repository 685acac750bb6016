r"""Untrusted names, from a file, a device or an archive, that become part of a path.

Data must not decide where a file is read or written. Such a name therefore has to be a plain name
on every system: no folder, no drive, no device of Windows (`NUL`, `COM1.txt`), nothing that is
special in a shell or a terminal. Other names are refused rather than corrected, because two
corrected names could be equal.
"""

import os
from pathlib import Path, PureWindowsPath

from seaformer.errors import SeaformerError, quoted

MAX_BYTES = 255
"""Maximum length of a name in UTF-8 on most file systems."""

FORBIDDEN = frozenset('/\\:*?"<>|')
"""Separators and characters that Windows forbids; there, ":" also starts the name of a stream."""

ALLOWED = (
    f"a file name without a folder, of 1 to {MAX_BYTES} bytes, printable, without any of "
    f"{' '.join(sorted(FORBIDDEN))}, not starting with '-' or a space, not ending with '.' or a "
    "space, and not a device of Windows such as NUL or COM1.txt"
)
ADVICE = "Correct it at its source."


def is_plain(name: str) -> bool:
    """Whether a name satisfies `ALLOWED`."""
    return (
        name.isprintable()
        and not FORBIDDEN.intersection(name)
        and name != ""
        and not name.startswith(("-", " "))
        and not name.endswith((".", " "))
        and not PureWindowsPath(name).is_reserved()
        and len(name.encode()) <= MAX_BYTES
    )


def plain_name(name: object, where: str, advice: str = ADVICE) -> str:
    """Return an untrusted name if it is a plain file name.

    `where` is the source of the name for messages ("file.name in 'model.json'"), `advice` a
    sentence about what to do next. Anything but text is refused too.

    Raises:
        SeaformerError: it is not a plain name.
    """
    if not isinstance(name, str) or not is_plain(name):
        raise SeaformerError(f"{where} is {quoted(name)}. Allowed: {ALLOWED}. {advice}")
    return name


def path_in(folder: Path, name: object, where: str, advice: str = ADVICE) -> Path:
    """Return the path of a file or folder directly in `folder`; neither has to exist.

    `name`, `where` and `advice` are as for `plain_name`.

    Raises:
        SeaformerError: it is not a plain name, or a symbolic link of that name leads out of the
            folder.
    """
    path = folder / plain_name(name, where, advice)
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(folder)):
        raise SeaformerError(
            f"'{path}', named by {where}, is a link to '{target}', outside '{folder}', which is "
            "not allowed. Remove the link."
        )
    return path
