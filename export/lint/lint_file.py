"""Linting an untrusted file in a child process, because a damaged file may hang the parser."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seaformer.artifact.accelerators import ACCELERATORS
from seaformer.artifact.precisions import format_of
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.lint.linting import Finding, rules_of
from seaformer.export.lint.rules import Rule
from seaformer.runtimes.child_process import ChildProcess

PROGRAM = "the reader of its operators"


def lint_file(path: Path, accelerators: Sequence[str] = tuple(ACCELERATORS)) -> tuple[Finding, ...]:
    """Apply `linting.lint` to a file from any source.

    Args:
        path: path of a .tflite file.
        accelerators: whose rules to apply.

    Raises:
        UsageError: the suffix is not .tflite, or there are no rules for an accelerator.
        SeaformerError: the file does not exist or is damaged.
    """
    rules = {rule.name: rule for rule in rules_of(accelerators)}
    if format_of(path.name).name != "tflite":
        raise UsageError(f"'{path}' cannot be linted: only .tflite files are supported.")
    if not path.is_file():
        raise SeaformerError(f"there is no model file '{path}'. Check the name.")
    child = ChildProcess("seaformer.export.lint.lint_process", path, PROGRAM)
    try:
        request = {"path": str(path), "accelerators": list(accelerators)}
        answer, _ = child.call("read", request)
    finally:
        child.close()
    try:
        return tuple(_finding(one, rules) for one in answer["findings"])
    except (KeyError, TypeError, ValueError) as error:
        raise SeaformerError(
            f"'{path}' makes {PROGRAM} return malformed data. Export it again."
        ) from error


def describe(finding: Finding) -> dict[str, Any]:
    """Describe a finding for the parent process."""
    return {
        "operator": finding.operator,
        "type": finding.type,
        "module": finding.module,
        "inputs": finding.inputs,
        "outputs": finding.outputs,
        "rule": finding.rule.name,
    }


def _finding(stored: Mapping[str, Any], rules: Mapping[str, Rule]) -> Finding:
    module = stored["module"]
    return Finding(
        operator=int(stored["operator"]),
        type=str(stored["type"]),
        module=None if module is None else str(module),
        inputs=tuple(tuple(map(int, shape)) for shape in stored["inputs"]),
        outputs=tuple(tuple(map(int, shape)) for shape in stored["outputs"]),
        rule=rules[stored["rule"]],
    )
