"""Escaping untrusted text before it is printed on a terminal."""

import unicodedata

_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode categories of invisible characters: controls (C0, DEL, C1), format characters
(bidirectional overrides, zero width), lone surrogates, separators of lines and paragraphs."""


def printable(text: str) -> str:
    r"""Replace control characters in `text` by visible escapes in Python's notation.

    Model files, phones, other programs and file names may contain any character. A terminal would
    execute an escape sequence, and a line end would end our message: an escape becomes the four
    characters `\x1b`, a line end `\n`. The result is one line.
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNPRINTABLE
        else character
        for character in text
    )
