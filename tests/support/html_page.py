"""Reading a page of ours: its elements, and whether they are properly nested."""

from html.parser import HTMLParser

VOID = {"meta", "br", "wbr", "link"}
"""Elements that have no end tag and, in our pages, do not end themselves."""


class Page(HTMLParser):
    """Elements of a page, after a check that they are properly nested.

    Attributes:
        elements: tag and attributes of each.
        text: what is between tags, without the style.
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
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        """The values of an attribute, of whatever element."""
        every = (attributes.get(attribute) for _, attributes in self.elements)
        return [value for value in every if value is not None]


def assert_needs_nothing_else(page: Page) -> None:
    """Expect that ids are unique, that links lead to them, and that nothing is loaded."""
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert page.values("src") == []
    assert {link.removeprefix("#") for link in page.values("href")} <= set(ids)
