"""The command line of a bench that exports many files and tabulates their accuracy."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.machine import machine_name, write_section

Rows = list[dict[str, Any]]


def main(
    title: str,
    section: str,
    commands: Sequence[str],
    measure: Callable[[str], Rows],
    text_of: Callable[[Rows], str],
) -> None:
    """Run the commands, print the table, and write the requested files.

    Args:
        title: first line of the help text.
        section: name of the section in documents, and of the JSON file.
        commands: arguments of each call of seaformer-export.
        measure: runs one command, and returns its rows.
        text_of: formats the rows as Markdown.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", type=Path, default=Path(f"build/bench/{section}.json"))
    parser.add_argument("--document", type=Path, help="file whose section to update")
    parser.add_argument("--only", default="", help="run only the commands that contain this")
    arguments = parser.parse_args()
    rows: Rows = []
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    for command in commands:
        if arguments.only in command:
            rows += measure(command)
            results = {"schema_version": 1, "machine": machine_name(), "rows": rows}
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    text = text_of(rows)
    print(text)
    if arguments.document:
        write_section(arguments.document, section, text)
