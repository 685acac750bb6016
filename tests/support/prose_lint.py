"""Check the prose of the project: American spelling, and the wording of docs/glossary.md.

    PYTHONPATH=tests/support python -m prose_lint [FILE ...]

codespell checks documents except for names in backticks, and in Python files only comments,
docstrings and strings of more than one word, so identifiers are not checked.
"""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from locations import ROOT

from seaformer.temporary_folders import temporary_folder

GLOSSARY = ROOT / "docs" / "glossary.md"
FOLDERS = ("seaformer", "export", "benchmark", "android_demo", "docs", "tests")
SUFFIXES = (".py", ".md", ".html", ".kt", ".c", ".h", ".xml")
PROSE = (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1))
WORD = r"[\w\-']+"


def wording() -> dict[str, str]:
    """Return the glossary's second table: wording to avoid -> replacement."""
    table = GLOSSARY.read_text().split("## Wording")[1]
    rows = re.findall(r"^\| (?!write|--)(.+?) \| (.+?) \|$", table, re.MULTILINE)
    return {avoided: written for written, avoided in rows}


def python_prose(text: str) -> str:
    """Blank everything in a Python file except comments and strings of several words.

    Names of attributes and arguments in docstrings are blanked too: members of JSON files keep
    names that the glossary avoids.
    """
    lines = [[" "] * len(line) for line in text.splitlines()]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in PROSE or " " not in token.string:
            continue
        (row, column), _ = token.start, token.end
        for offset, part in enumerate(token.string.splitlines()):
            start = column if offset == 0 else 0
            lines[row - 1 + offset][start : start + len(part)] = part
    prose = "\n".join("".join(line) for line in lines)
    return re.sub(r"^ +\w+(?=: )", "", prose, flags=re.MULTILINE)


def template_prose(text: str) -> str:
    """Blank the expressions of a template."""
    return re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text)


def document_prose(text: str) -> str:
    """Blank names in backticks, such as members of files of the first version."""
    return re.sub(r"`[^`\n]+`", "", text)


def sources() -> Iterator[Path]:
    """Yield every file of the project with prose."""
    yield from (path for path in ROOT.glob("*.md"))
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and path != GLOSSARY and "build" not in path.parts:
                yield path


PROSE_OF = {".py": python_prose, ".html": template_prose, ".md": document_prose}
"""Suffix -> function that keeps only the prose of such a file; other files are all prose."""


def main() -> int:
    """Run codespell; its exit status is the number of mistakes."""
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or list(sources())
    avoided = wording()
    phrases = sorted((re.escape(each) for each in avoided if " " in each), key=len, reverse=True)
    # "There is no driver" and "is no longer" are correct.
    phrases = [rf"(?<!there ){each}(?! longer)" for each in phrases]
    with temporary_folder("prose") as folder:
        (folder / "dictionary").write_text(
            "".join(f"{avoided_}->{written}\n" for avoided_, written in avoided.items())
        )
        copies = folder / "text"
        for path in chosen:
            copy = copies / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text()
            copy.write_text(PROSE_OF.get(path.suffix, str)(text))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "codespell_lib", "--quiet-level", "3"),
                *("--builtin", "clear,rare,en-GB_to_en-US"),
                *("--dictionary", "-", "--dictionary", folder / "dictionary"),
                *("--regex", rf"(?i:\b(?:{'|'.join(phrases)})\b)|{WORD}"),
                *("--toml", ROOT / "pyproject.toml", "."),
            ],
            cwd=copies, check=False,
        )  # fmt: skip
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
