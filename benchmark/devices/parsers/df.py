"""Free space, as `df -k` prints it."""

import re

_UNITS = {"": 1024, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
"""Without a letter, the numbers of `df -k` are kibibytes."""


def parse_free_bytes(text: str) -> int | None:
    """Return the bytes that are free on a file system.

    Args:
        text: of a single file system; a row may go over two lines. The column is found by its
            name: "Available", or "Free" on Androids before 6.
    """
    header, _, rows = text.strip().partition("\n")
    names = header.replace("Mounted on", "Mounted").split()
    fields = rows.split()
    for name in ("Available", "Avail", "Free"):
        if name in names and len(fields) == len(names):
            amount = re.fullmatch(
                r"(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)", fields[names.index(name)], re.ASCII
            )
            return int(float(amount[1]) * _UNITS[amount[2]]) if amount else None
    return None
