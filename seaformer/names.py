r"""Names that come from data and become part of a path: of a file, a device, an archive.

Data never decides where a file is read or written. So such a name is one plain name, on every
system: no folder before it, no drive, no device of Windows (`NUL`, `COM1.txt`), nothing that a
shell or a terminal takes for something else. Any other is refused and not corrected: two
corrected names could be one.
"""

import os
from pathlib import Path, PureWindowsPath

from seaformer.errors import SeaformerError, quoted

MAX_BYTES = 255
"""Of a name in UTF-8, as most file systems have it."""

FORBIDDEN = frozenset('/\\:*?"<>|')
"""Separators and what Windows has no names with; ":" also begins a stream of a file there."""

ALLOWED = (
    f"the name of a file without a folder, of 1 to {MAX_BYTES} bytes, printable, without any of "
    f"{' '.join(sorted(FORBIDDEN))}, with neither '-' nor a space at its beginning and neither "
    "'.' nor a space at its end, and not a device of Windows such as NUL or COM1.txt"
)
ADVICE = "Correct it where it comes from."


def is_plain(name: str) -> bool:
    """Whether a name is as `ALLOWED` says."""
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
    """Return a name that came from data, if it can be that of a file in any folder.

    What is not text is refused as well. The message says where it was read ("file.name in
    'model.json'") and in a sentence what to do next.

    Raises:
        SeaformerError: it is no plain name.
    """
    if not isinstance(name, str) or not is_plain(name):
        raise SeaformerError(f"{where} is {quoted(name)}. Allowed: {ALLOWED}. {advice}")
    return name


def path_in(folder: Path, name: object, where: str, advice: str = ADVICE) -> Path:
    """Return the path of a file or folder right in `folder`, which need not exist.

    `name`, `where` and `advice` are as for `plain_name`.

    Raises:
        SeaformerError: it is no plain name, or there is a symbolic link of that name which leads
            out of the folder.
    """
    path = folder / plain_name(name, where, advice)
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(folder)):
        raise SeaformerError(
            f"'{path}', named by {where}, is a link to '{target}'. Allowed: nothing that leads out "
            f"of '{folder}'. Remove the link."
        )
    return path
