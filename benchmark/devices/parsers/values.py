"""Files of one value each, as `grep -H . FILE...` prints them: "path:value"."""

import re

_CORE = re.compile(r"/cpu(\d{1,4})/")


def parse_values(text: str) -> dict[str, str]:
    """Return path -> value. Paths in /sys hold no ":"."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        path, colon, value = line.partition(":")
        if colon and path.startswith("/"):
            values[path] = value.strip()
    return values


def parse_core_khz(text: str) -> dict[int, int]:
    """Return core -> kHz, from /sys/devices/system/cpu/cpu*/cpufreq/* as `parse_values` takes it.

    Cores that show nothing, or no positive number, are left out.
    """
    frequencies: dict[int, int] = {}
    for path, value in parse_values(text).items():
        core = _CORE.search(path)
        khz = whole_number(value)
        if core and khz:
            frequencies[int(core[1])] = khz
    return frequencies


def parse_core_list(text: str) -> tuple[int, ...]:
    """Return the numbers in a list such as "0-3,7", rising; () if it is none."""
    text = text.strip()
    if not re.fullmatch(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*", text, re.ASCII):
        return ()
    cores: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cores))


def whole_number(text: str) -> int | None:
    """Return a decimal number of at most 18 digits; None for any other text."""
    text = text.strip()
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else None
