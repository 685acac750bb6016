"""The writer of all HTML reports, each of which is one self-contained file."""

import base64
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from markupsafe import Markup, escape

from seaformer.files import atomic_write
from seaformer.reporting import numbers
from seaformer.reporting.plots import color_class, dashes, stripes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def image_url(pixels: "npt.NDArray[np.uint8]", kind: str, **options: Any) -> str:
    """Return an image, uint8 [H, W, 3], as a data URL.

    `kind` is "PNG" or "JPEG"; `options` are passed to Pillow's writer.
    """
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def breakable(name: str) -> Markup:
    """Allow a line break after each separator in a name, or in the names of a text."""
    return Markup(re.sub(r"[_/]|\.(?=\w)(?!\d)", r"\g<0><wbr>", str(escape(name))))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ms": numbers.milliseconds,
    "median": numbers.median,
    "estimate": numbers.estimate,
    "ratio": numbers.ratio,
    "number": numbers.number,
    "percent": numbers.percent,
    "points": numbers.points,
    "points_within": numbers.points_within,
    "loss": numbers.loss,
    "significant": numbers.significant,
    "tick": numbers.tick,
    "color": color_class,
    "stripes": stripes,
    "dashes": dashes,
    "breakable": breakable,
    "side": lambda side: f"side {side}",
    "file_name": lambda path: path.replace("\\", "/").split("/")[-1],
}
"""Filters for templates, in addition to Jinja's own."""


@dataclass(frozen=True)
class Command:
    """A command line that a page shows, with a button to copy it; `purpose` may be empty."""

    line: str
    purpose: str = ""


def commands_of(line: str | None) -> tuple[Command, ...]:
    """Return the commands of a page; there are none if it was written by the Python API."""
    return () if line is None else (Command(line),)


@dataclass(frozen=True, kw_only=True)
class Page:
    """The data of a page; a subclass has a field for every name in its template.

    In `class MyPage(Page, template="my_page.html")`, `template` is a file in `templates`.

    Attributes:
        verdict: the result in sentences, most important first, which claim no more than their
            intervals allow.
        commands: the command that made the page, and follow-up commands.
    """

    verdict: Sequence[str]
    commands: Sequence[Command] = ()

    _template: ClassVar[str]

    def __init_subclass__(cls, template: str) -> None:
        cls._template = template

    def write(self, path: Path) -> None:
        """Render and write the page. Values are escaped; unknown names raise an error.

        Args:
            path: path of the file, which is replaced if it exists.

        Raises:
            OSError: the file cannot be written.
        """
        import jinja2

        templates = jinja2.Environment(
            loader=jinja2.PackageLoader("seaformer.reporting"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.filters |= FILTERS
        script = templates.get_template("page.js").render()
        templates.globals |= {"script": Markup(script), "script_hash": _hash(script)}
        text = templates.get_template(self._template).render(vars(self))
        with atomic_write(path) as draft:
            # A file name can contain characters that UTF-8 cannot encode.
            draft.write_bytes(text.encode("utf-8", "replace"))


def _hash(script: str) -> str:
    """Return the hash of a script as a content security policy has it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
