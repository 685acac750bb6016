"""Finding the images in a folder by their file names."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError

HEIC_SUFFIXES = (".heic", ".heif", ".hif")
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm",
    *HEIC_SUFFIXES,
)  # fmt: skip

LISTED = 8
"""Maximum number of files named in a message."""


@dataclass(frozen=True)
class ImageFiles:
    """The images in a folder and its subfolders, sorted by path.

    `skipped` is a sentence with the number of other files by type; "" if there are none.
    """

    paths: tuple[Path, ...]
    skipped: str


def find_images(folder: Path, others: tuple[str, ...] = ()) -> ImageFiles:
    """Find the images in a folder and its subfolders, including linked ones, without hidden files.

    `others` are additional suffixes to accept. An example of a hidden file is ._image.jpg, which
    macOS writes and which is not an image.

    Raises:
        SeaformerError: a folder cannot be read.
    """
    found, skipped = [], Counter[str]()
    for path in _files(folder, frozenset()):
        if path.name.startswith("."):
            skipped["hidden"] += 1
        elif path.suffix.lower() in (*SUFFIXES, *others):
            found.append(path)
        else:
            skipped[f"in {path.suffix.lower() or 'no suffix'}"] += 1
    counts = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    total = skipped.total()
    note = f"{total} file{'s' * (total > 1)} in '{folder}' skipped: {counts}." if total else ""
    return ImageFiles(tuple(sorted(found)), note)


def listed(problems: Sequence[str]) -> str:
    """Join the first `LISTED` problems, and count the others."""
    more = len(problems) - LISTED
    return " ".join(problems[:LISTED]) + (f" And {more} more." if more > 0 else "")


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Yield the files of a folder; links to a folder `above` it (real paths) are not followed."""
    above |= {os.path.realpath(folder)}
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise SeaformerError(f"cannot read the folder '{folder}': {error.strerror}.") from error
    for entry in entries:
        if not entry.is_dir():
            yield folder / entry.name
        elif not entry.name.startswith(".") and os.path.realpath(entry.path) not in above:
            yield from _files(folder / entry.name, above)
