"""The documentation as a site: `make docs` writes it to build/site.

The guides are Markdown without directives, because they are read on GitHub too. The pages that only
the site has are api.rst, the reference of the Python API, and `*.myst`: the front page, and
documents from outside this folder.
"""

import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

PAGES = {
    "index": ROOT / "README.md",
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
    "android_demo": ROOT / "android_demo/README.md",
}
"""Page -> the document outside this folder that it starts with."""

LINK = re.compile(
    r"(?P<image>!?)\[(?P<title>[^\[\]]*)\]\((?P<place>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)"
)

project = "seaformer"
author = "seaformer maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown", ".myst": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["*.ipynb"]
nitpicky = True
# The site is built and read without a network, so types of other packages have no links, and
# neither do types of layers below the API; file_formats.md describes the members of files.
_ARTIFACT = r"artifact\.(detection_output|metadata)"
_LAYERS = rf"({_ARTIFACT}|benchmark|evaluation|models|tasks\.statement|weights)\..*"
nitpick_ignore_regex = [("py:.*", rf"(?!seaformer\.).*|seaformer\.{_LAYERS}")]
smartquotes = False
default_role = "literal"  # names in the docstrings

html_theme = "furo"
html_title = "seaformer"
html_show_copyright = False
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]  # classes of the images that `themed_images` adds

autodoc_member_order = "bysource"


def site_links(text: str, document: Path) -> str:
    """Point the relative links of a document to pages of the site, seen from this folder.

    Links to folders and to documents that have no page become plain text.
    """
    pages = {source: DOCS / f"{page}.myst" for page, source in PAGES.items()}

    def replacement(link: re.Match[str]) -> str:
        target = (document.parent / link["place"]).resolve()
        page = pages.get(target, target)
        if page.is_dir() or (page.suffix == ".md" and page.parent != DOCS):
            return link["title"]
        place = os.path.relpath(page, DOCS)
        return f"{link['image']}[{link['title']}]({place}{link['anchor'] or ''})"

    return LINK.sub(replacement, text)


def themed_images(text: str) -> str:
    """Show NAME_dark.png instead of NAME.png in the dark theme, if there is one in its folder."""

    def replacement(link: re.Match[str]) -> str:
        image = Path(link["place"])
        dark = image.with_stem(f"{image.stem}_dark")
        if not link["image"] or not (DOCS / dark).exists():
            return link[0]
        return (
            f"![{link['title']}]({image}){{.only-light}} ![{link['title']}]({dark}){{.only-dark}}"
        )

    return LINK.sub(replacement, text)


def _on_source(_: Sphinx, page: str, content: list[str]) -> None:
    if page in PAGES:
        content[0] = site_links(PAGES[page].read_text(), PAGES[page]) + content[0]
    elif (document := DOCS / f"{page}.md").exists():
        content[0] = site_links(content[0], document)
    content[0] = themed_images(content[0])


def _on_missing_reference(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Resolve the name of a class without its module, as docstrings have it after `Raises:`."""
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    found = [name for name in objects if name.endswith(f".{node['reftarget'].split('.')[-1]}")]
    if len(found) != 1:
        return None
    page = objects[found[0]].docname
    return make_refnode(app.builder, node["refdoc"], page, found[0], content, found[0])


def setup(app: Sphinx) -> None:
    """Connect the handlers."""
    app.connect("source-read", _on_source)
    app.connect("missing-reference", _on_missing_reference)
