"""Splitting a stream of bytes into lines."""

from collections.abc import Callable


class Lines:
    """Calls `on_line` with every complete line; `all` has all lines without line ends."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self.all: list[str] = []
        self._on_line = on_line
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Add the next bytes of the stream."""
        first, *others = data.split(b"\n")
        self._rest += first
        for other in others:
            line, self._rest = self._rest, bytearray(other)
            self._emit(line)

    def finish(self) -> None:
        """Emit the rest of the stream as a line, even without a line end."""
        if self._rest:
            self._emit(self._rest)
        self._rest = bytearray()

    def _emit(self, line: bytearray) -> None:
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        self.all.append(text)
        if self._on_line is not None:
            self._on_line(text)
