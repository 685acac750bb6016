"""README.md says what the tables of the code say."""

import pytest
from readme_tables import README, SECTIONS


@pytest.mark.parametrize("name", SECTIONS)
def test_section_is_what_the_code_says(name: str) -> None:
    text = README.read_text(encoding="utf-8")
    section = text.split(f"<!-- section:{name} -->")[1].split(f"<!-- /section:{name} -->")[0]
    assert section.strip() == SECTIONS[name](), (
        "run: PYTHONPATH=tests/support python -m readme_tables"
    )
