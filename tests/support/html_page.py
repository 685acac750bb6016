"""Reads an HTML report: its elements, and whether they are properly nested."""

from html.parser import HTMLParser

VOID = {"meta", "br", "wbr", "link", "img"}
"""Elements that have no end tag and, in our pages, are not self-closing."""


class Page(HTMLParser):
    """The elements of a page, checked to be properly nested.

    Attributes:
        elements: tag and attributes of each.
        text: the text between tags, without the style sheet.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element with a tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        """Return the values of an attribute in all elements."""
        every = (attributes.get(attribute) for _, attributes in self.elements)
        return [value for value in every if value is not None]


def assert_needs_nothing_else(page: Page) -> None:
    """Check that ids are unique, links to them are valid, and no external files are loaded."""
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert all(source.startswith("data:image/") for source in page.values("src"))
    assert {link.removeprefix("#") for link in page.values("href")} <= set(ids)
