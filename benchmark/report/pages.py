"""Drawing a template of this folder as a page that loads nothing from elsewhere."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from seaformer.benchmark.numbers import median, milliseconds, number, ratio
from seaformer.benchmark.table import parity_text
from seaformer.files import atomic_write


def write_page(path: Path, template: str, **values: Any) -> None:
    """Draw a page and write it.

    Args:
        path: the file, which is replaced.
        template: name of the file in this folder.
        values: what the template draws.

    Raises:
        OSError: the file cannot be written.
    """
    page = jinja2.Environment(
        loader=jinja2.PackageLoader("seaformer.benchmark.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "ms": milliseconds,
        "median": median,
        "ratio": ratio,
        "breakable": _breakable,
        "number": number,
        "tick": _tick,
        "parity": parity_text,
    }
    text = page.get_template(template).render(**values)
    with atomic_write(path) as draft:
        # A file name may hold what UTF-8 does not.
        draft.write_bytes(text.encode("utf-8", "replace"))


def _tick(value: float) -> str:
    return f"{value + 0.0:g}".replace("-", "\N{MINUS SIGN}")


def _breakable(name: str) -> Markup:
    """Allow a line to break behind what separates the parts of a name."""
    text = str(escape(name))
    for mark in ("_", "/", "."):
        text = text.replace(mark, f"{mark}<wbr>")
    return Markup(text)
