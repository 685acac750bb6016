"""The pages of this package, and how numbers are written in them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seaformer.reporting import page


def write_page(path: Path, template: str, **values: Any) -> None:
    """Draw a template of this folder, see `seaformer.reporting.page.write_page`."""
    page.write_page(path, "seaformer.export.quantize", template, FILTERS, **values)


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


FILTERS: Mapping[str, Callable[..., str]] = {
    "percent": percent,
    "points": points,
    "loss": loss,
    "number": number,
}
