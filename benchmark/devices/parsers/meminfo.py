"""The kernel's account of the memory: /proc/meminfo."""

import re


def parse_memory_bytes(text: str) -> int | None:
    """Return the size of the main memory, in bytes."""
    found = re.search(r"^MemTotal:\s*(\d{1,15}) kB\s*$", text, re.MULTILINE | re.ASCII)
    return int(found[1]) * 1024 if found else None
