"""Describes this computer, and writes generated sections of documents."""

import platform
import re
from pathlib import Path


def machine_name() -> str:
    """Return the processor, its number of cores, and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
        cores = sum("model name" in line for line in lines)
        return f"{model}, {cores} cores, {platform.system()} {platform.machine()}"
    except (OSError, StopIteration):
        return f"{platform.processor() or platform.machine()}, {platform.system()}"


def read_section(document: Path, name: str) -> str:
    """Return the text between `<!-- section:NAME -->` and `<!-- /section:NAME -->`."""
    text = document.read_text(encoding="utf-8")
    return text.split(f"<!-- section:{name} -->")[1].split(f"<!-- /section:{name} -->")[0].strip()


def write_section(document: Path, name: str, text: str) -> None:
    """Replace the text between `<!-- section:NAME -->` and `<!-- /section:NAME -->`."""
    start, end = f"<!-- section:{name} -->", f"<!-- /section:{name} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    before = document.read_text(encoding="utf-8")
    if not pattern.search(before):
        raise SystemExit(f"{document} has no section between '{start}' and '{end}'")
    after = pattern.sub(lambda _: f"{start}\n{text.strip()}\n{end}", before)
    document.write_text(after, encoding="utf-8")
