"""Generated tables of the documents are current, and links are valid."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from document_blocks import DOCUMENTS
from document_tables import SECTIONS
from locations import ROOT

from seaformer.tasks import Preprocessing, Task


@pytest.mark.parametrize("name", SECTIONS)
def test_generated_sections_are_current(name: str) -> None:
    document, table = SECTIONS[name]
    text = (ROOT / document).read_text(encoding="utf-8")
    section = text.split(f"<!-- section:{name} -->")[1].split(f"<!-- /section:{name} -->")[0]
    assert section.strip() == table(), "run: PYTHONPATH=tests/support python -m document_tables"


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub creates for the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_are_valid(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        place, _, anchor = link.partition("#")
        target = document.parent / place if place else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert next(n for n, line in enumerate(lines) if line.startswith("![")) < 40


def test_members_of_a_task_file_match_the_types() -> None:
    text = (ROOT / "docs/own_networks.md").read_text(encoding="utf-8").split("## A task file")[1]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    known = {field.name for kind in (Task, Preprocessing) for field in fields(kind)}
    ours = {"source", "label_note", "ids", "pad_value"}  # of the package's own tasks
    assert listed == known - ours | {"input_range"}
