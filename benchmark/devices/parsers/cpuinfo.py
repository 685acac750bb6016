"""The kernel's description of the processor: /proc/cpuinfo."""

import re


def parse_processor(text: str) -> str | None:
    """Return the name of the processor.

    "model name" on x86; some arm64 kernels give the whole chip as "Hardware".
    """
    for name in ("model name", "Hardware"):
        found = re.search(rf"^{name}[ \t]*:[ \t]*(\S.*)$", text, re.MULTILINE)
        if found:
            return found[1].strip()
    return None
