"""Parsing and checking the input size of a network."""

import re

from seaformer.errors import UsageError

MIN_SIDE = 64
"""The coarsest stage has an output stride of 64: smaller inputs would be mostly padding."""
MAX_SIDE = 8192
"""Side of images of the largest phone cameras. Attention over longer axes is untested."""

BASE_BYTES = 2.0e9
BYTES_PER_PIXEL = 2500
"""Peak memory of an export, measured with Large, which needs the most: 2.7 GB at 512x512 and 4.7 GB
at 1024x1024. All activations are in memory while operators are matched."""


def parse_input_size(text: str, min_side: int = MIN_SIDE) -> tuple[int, int]:
    """Parse HEIGHTxWIDTH, or one number for a square, in pixels.

    Raises:
        UsageError: the text is neither, or a side is below `min_side`, the minimum of the network.
    """
    match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", text.strip().lower())
    if not match:
        raise UsageError(
            f"input size '{text}' is not HEIGHTxWIDTH. Examples: 512x512, 512x1024, or 512 for a "
            "square."
        )
    height, width = int(match[1]), int(match[2] or match[1])
    for name, side in (("height", height), ("width", width)):
        if side < min_side:
            why = ", the stride of the coarsest stage"
            raise UsageError(
                f"input size '{text}' has a {name} of {side}. Allowed: {min_side} or more"
                f"{why if min_side == MIN_SIDE else ''}."
            )
    return height, width


def check_memory(
    size: tuple[int, int], available_bytes: int, needed_bytes: float | None = None
) -> None:
    """Refuse a size for which the host lacks memory, or whose sides exceed `MAX_SIDE`.

    `needed_bytes` is the memory that the export needs; None for the estimate for a SeaFormer.

    Raises:
        UsageError: the export would need too much memory; the message gives both numbers.
    """
    height, width = size
    needed = needed_bytes or BASE_BYTES + height * width * BYTES_PER_PIXEL
    if max(size) > MAX_SIDE or needed > available_bytes:
        raise UsageError(
            f"input size {height}x{width} would take about {needed / 2**30:,.0f} GiB of memory to "
            f"export and verify; {available_bytes / 2**30:,.1f} GiB are free, and sides can have "
            f"up to {MAX_SIDE} pixels. Give a smaller size: 512x512 is typical on phones."
        )
