"""The size of an input: reading it, and refusing what cannot work."""

import re

from seaformer.errors import UsageError

MIN_SIDE = 64
"""The coarsest stage has an output stride of 64: below that it would see padding only."""
MAX_SIDE = 8192
"""A frame of the largest phone cameras. Attention over a longer axis is untried."""

BASE_BYTES = 2.0e9
BYTES_PER_PIXEL = 2500
"""Peak memory of an export, measured with Large, which needs the most: 2.7 GB at 512x512 and 4.7 GB
at 1024x1024. Every activation is kept while operators are matched."""


def parse_input_size(text: str, min_side: int = MIN_SIDE) -> tuple[int, int]:
    """Read HEIGHTxWIDTH, or one number for a square, in pixels.

    Raises:
        UsageError: it is neither, or a side is below `min_side`, the smallest that the network can
            take; the message says which.
    """
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text.strip().lower())
    if not match:
        raise UsageError(
            f"input size '{text}' is not HEIGHTxWIDTH. Examples: 512x512, 512x1024, or 512 for a "
            "square."
        )
    height, width = int(match[1]), int(match[2] or match[1])
    for name, side in (("height", height), ("width", width)):
        if side < min_side:
            why = f", as the coarsest stage sees one pixel in {min_side}"
            raise UsageError(
                f"input size '{text}' has a {name} of {side}. Allowed: {min_side} or more"
                f"{why if min_side == MIN_SIDE else ''}."
            )
    return height, width


def check_memory(
    size: tuple[int, int], available_bytes: int, needed_bytes: float | None = None
) -> None:
    """Refuse a size that this computer has no memory for, or that no phone would take.

    `needed_bytes` is what the export of another network than ours takes; None to reckon with ours.

    Raises:
        UsageError: the export would need more; the message gives both numbers.
    """
    height, width = size
    needed = needed_bytes or BASE_BYTES + height * width * BYTES_PER_PIXEL
    if max(size) > MAX_SIDE or needed > available_bytes:
        raise UsageError(
            f"input size {height}x{width} would take about {needed / 2**30:,.0f} GiB of memory to "
            f"export and check; {available_bytes / 2**30:,.1f} GiB are free, and sides go up to "
            f"{MAX_SIDE}. Export a smaller size: a phone's segmentation runs at 512x512 or so."
        )
