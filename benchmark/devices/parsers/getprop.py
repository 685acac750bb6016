"""Android's system properties, as `getprop` lists them."""

import re

_START = re.compile(r"\[([^\[\]]+)\]: \[(.*)", re.DOTALL)


def parse_getprop(text: str) -> dict[str, str]:
    """Return property -> value.

    Args:
        text: lines "[name]: [value]". Values may hold brackets and several lines; the line ends
            may be CRLF.
    """
    entries: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        start = _START.fullmatch(line)
        if start:
            entries.append((start[1], [start[2]]))
        elif entries:
            entries[-1][1].append(line)
    return {
        name: value.removesuffix("]")
        for name, lines in entries
        if (value := "\n".join(lines).rstrip("\n")).endswith("]")
    }
