"""Writing a report: one HTML file that needs nothing else, neither network nor folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seaformer.files import atomic_write


def write_page(
    path: Path,
    package: str,
    template: str,
    filters: Mapping[str, Callable[..., Any]],
    **values: Any,
) -> None:
    """Draw a template and write it; what it draws is escaped, and a name it lacks is an error.

    Args:
        path: the file, which is replaced.
        package: that the template lies in.
        template: place of the file in the package.
        filters: of the template, besides jinja's own.
        values: of the template's names.

    Raises:
        OSError: the file cannot be written.
    """
    import jinja2

    pages = jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= filters
    text = pages.get_template(template).render(**values)
    with atomic_write(path) as draft:
        # A file name may hold what UTF-8 does not.
        draft.write_bytes(text.encode("utf-8", "replace"))
