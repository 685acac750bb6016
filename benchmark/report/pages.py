"""The pages of this folder, and how numbers are written in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from seaformer.benchmark.numbers import median, milliseconds, number, ratio
from seaformer.benchmark.table import parity_text
from seaformer.reporting import page


def write_page(path: Path, template: str, **values: Any) -> None:
    """Draw a template of this folder, see `seaformer.reporting.page.write_page`."""
    filters: dict[str, Callable[..., Any]] = {
        "ms": milliseconds,
        "median": median,
        "ratio": ratio,
        "breakable": _breakable,
        "number": number,
        "tick": _tick,
        "parity": parity_text,
    }
    page.write_page(path, "seaformer.benchmark.report", template, filters, **values)


def _tick(value: float) -> str:
    return f"{value + 0.0:g}".replace("-", "\N{MINUS SIGN}")


def _breakable(name: str) -> Markup:
    """Allow a line to break behind what separates the parts of a name."""
    text = str(escape(name))
    for mark in ("_", "/", "."):
        text = text.replace(mark, f"{mark}<wbr>")
    return Markup(text)
