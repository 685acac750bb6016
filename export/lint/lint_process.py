"""The child process of `lint_file`: it parses the file and applies the rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seaformer.export.lint.lint_file import describe
from seaformer.export.lint.linting import lint
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve


def answer(request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
    """Serve one request; see `child_server.serve`."""
    path = Path(request["path"])
    findings = lint(path.read_bytes(), request["accelerators"], str(path))
    return {"findings": [describe(finding) for finding in findings]}, []


if __name__ == "__main__":
    serve(answer)
