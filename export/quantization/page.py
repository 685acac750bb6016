"""Writing a page of this package: one HTML file that loads nothing."""

from pathlib import Path
from typing import Any

import jinja2

from seaformer.files import atomic_write


def write_page(path: Path, template: str, **values: Any) -> None:
    """Draw a page and write it.

    Args:
        path: the file, which is replaced.
        template: name of a file beside this one.
        values: of the template's names.

    Raises:
        OSError: the file cannot be written.
    """
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("seaformer.export.quantization", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"percent": percent, "points": points, "loss": loss, "number": number}
    text = pages.get_template(template).render(**values)
    with atomic_write(path) as draft:
        draft.write_text(text, encoding="utf-8")


def percent(share: float, digits: int = 2) -> str:
    """Write a share, 0..1, in percent."""
    return f"{100 * share:.{digits}f}"


def points(change: float | None) -> str:
    """Write points with their sign; adding 0.0 makes -0.0 positive."""
    return "-" if change is None else f"{round(change, 2) + 0.0:+.2f}"


def loss(change: float) -> str:
    """Write a change of the score as what is lost."""
    return f"{round(-change, 2) + 0.0:.2f}"


def number(value: float) -> str:
    """Write a value of a tensor."""
    return f"{value + 0.0:.3g}"
