"""A QR code as text, for the camera of a phone that looks at the terminal."""

from collections.abc import Iterator

import segno

QUIET_ZONE = 4
"""Width of the light border in modules, as ISO/IEC 18004 requires."""

_BLOCKS = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
"""Whether the upper and the lower module are light -> their character."""

STYLE = "bright_white on black"
"""Light modules are drawn, so that the code is not inverted, whatever the terminal's colors are."""


def qr_lines(text: str) -> tuple[str, ...]:
    """Return the QR code of a text, as lines of half blocks: two modules above each other."""
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[str]:
    code = segno.make_qr(text, error="m", boost_error=False)
    rows = [[not module for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([True] * len(rows[0]))
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))


def fits(lines: tuple[str, ...], width: int, encoding: str) -> bool:
    """Whether a terminal of a width in columns and an encoding can show the lines."""
    try:
        "".join(lines).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return max(map(len, lines)) <= width
