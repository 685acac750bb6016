"""The fenced blocks of the documents, and the options of the commands in them.

`make test-all` runs the blocks ```sh and ```python of a document in order, in one folder. If the
tests cannot run a block, the line before it has the reason:

    <!-- not run: needs a phone -->
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import click
from locations import ROOT

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "android_demo/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

LANGUAGES = {"sh", "python", "text", "kotlin", "json"}
"""What a block may be: commands, code, or what they print, write or are used in."""

_BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"^(?P<fence> *```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)

PROGRAMS = {
    "seaformer-export": "seaformer.export.cli",
    "seaformer-predict": "seaformer.cli.predict",
    "seaformer-evaluate": "seaformer.cli.evaluate",
    "seaformer-train": "seaformer.cli.train",
    "seaformer-bundle": "seaformer.cli.bundle",
    "seaformer-benchmark": "seaformer.benchmark.cli",
}
"""Program -> the module of its command `main`; a test compares them with pyproject.toml."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document, which begins at a line; `reason` is why it is not run."""

    document: Path
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        return self.language in ("sh", "python") and self.reason is None


def blocks_of(document: Path) -> list[Block]:
    """Return the blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(
            document, text.count("\n", 0, found.start("fence")) + 1,
            found["language"], dedent(found["text"]), found["reason"],
        )
        for found in _BLOCK.finditer(text)
    ]  # fmt: skip


def commands_of(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of this package in a block ```sh."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if PROGRAMS.keys().isdisjoint(line.split()):
            continue  # maybe a line of a file that the block writes
        words = shlex.split(line, comments=True)
        for start, word in enumerate(words):
            if word in PROGRAMS:
                stop = next((n for n, w in enumerate(words) if n > start and w in SHELL), None)
                yield words[start:stop]


SHELL = {"|", "&&", ">", ";"}


def parse_options(words: list[str]) -> None:
    """Parse the options of a command as click does, without converting their values.

    Raises:
        click.UsageError: it has no such option, or an option lacks its value.
    """
    program, *arguments = words
    command = import_module(PROGRAMS[program]).main
    context = click.Context(command, info_name=program)
    if isinstance(command, click.Group):
        name = arguments[0] if arguments[:1] and arguments[0] in command.commands else "measure"
        arguments = arguments[name == arguments[0] :]
        command = command.commands[name]
        context = click.Context(command, info_name=f"{program} {name}")
    command.make_parser(context).parse_args(args=arguments)
