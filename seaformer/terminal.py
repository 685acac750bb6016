"""Text from elsewhere, made harmless before a terminal sees it."""

import unicodedata

_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode's categories of what is no letter to look at: controls (C0, DEL, C1), format characters
(bidirectional overrides, zero width), lone surrogates, separators of lines and paragraphs."""


def printable(text: str) -> str:
    r"""Return `text` with visible escapes, as Python writes them, for what a terminal would obey.

    Model files, phones, other programs and names of files may hold any character. A terminal takes
    an escape sequence for a command, and a line end for the end of what we say: an escape becomes
    the four letters `\x1b`, a line end `\n`. The result is one line.
    """
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in _UNPRINTABLE
        else letter
        for letter in text
    )
