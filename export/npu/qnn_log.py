"""Parsing the log of ONNX Runtime's QNN execution provider for nodes that it refuses.

... LogNodeSupport] Validation FAILED for 1 nodes in OrtNodeUnit (Mod) :
        Operator type: Mod Node name: /mod/Mod Node index: 2
        REASON : QNN Mod Op only support fmod == 0 for now.
"""

import re
from collections.abc import Iterator

from seaformer.runtimes.session import one_line

MAX_REASON = 200
"""Maximum length of a reason in characters."""

_FAILED = "Validation FAILED"
_NODE = re.compile(r"\s*Operator type: \S+ Node name: (?P<name>.*) Node index: \d+")
_REASON = re.compile(r"\s*REASON : (?P<reason>.*)")
_REPEATED = re.compile(r"\w+ node `[^`]*` will not be assigned to QNN EP\.?$")
"""Redundant text that follows some reasons without a space."""


def reasons(log: str) -> dict[str, str]:
    """Return a dict of node name -> the first reason given for its refusal."""
    found: dict[str, str] = {}
    for names, reason in _refusals(log):
        for name in names:
            found.setdefault(name, reason)
    return found


def _refusals(log: str) -> Iterator[tuple[list[str], str]]:
    """Yield the node names of each refused group, and the reason."""
    names: list[str] | None = None
    for line in log.splitlines():
        if "LogNodeSupport]" in line:
            names = [] if _FAILED in line else None
        elif names is not None and (node := _NODE.match(line)):
            names.append(node["name"])
        elif names is not None and (given := _REASON.match(line)):
            yield names, one_line(_REPEATED.sub("", given["reason"]), MAX_REASON).rstrip(". ")
            names = None
