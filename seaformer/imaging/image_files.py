"""Which files of a folder are images, by their names."""

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
"""How many files are named in a message."""


@dataclass(frozen=True)
class ImageFiles:
    """The images in a folder and the folders in it, in the order of their paths.

    `skipped` says how many other files there are, by kind; "" for none.
    """

    paths: tuple[Path, ...]
    skipped: str


def find_images(folder: Path, others: tuple[str, ...] = ()) -> ImageFiles:
    """Find the images in a folder and below it; linked folders too, and hidden files not.

    `others` are suffixes that are taken too.

    macOS puts a ._image.jpg beside an image, which is none.

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
    kinds = ", ".join(f"{count} {kind}" for kind, count in skipped.items())
    total = skipped.total()
    said = f"{total} file{'s' * (total > 1)} in '{folder}' skipped: {kinds}." if total else ""
    return ImageFiles(tuple(sorted(found)), said)


def listed(problems: Sequence[str]) -> str:
    """Join the first `LISTED` problems, and count the others."""
    more = len(problems) - LISTED
    return " ".join(problems[:LISTED]) + (f" And {more} more." if more > 0 else "")


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Yield the files of a folder; a link to a folder `above` it, by its real path, ends there."""
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
