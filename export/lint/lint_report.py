"""The terminal output of `seaformer-export --lint`."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from seaformer.artifact.accelerators import ACCELERATORS, Accelerator
from seaformer.console import Console
from seaformer.export.lint.lint_file import lint_file
from seaformer.export.lint.linting import Finding
from seaformer.export.lint.rules import Rule

MAX_PRINTED = 200
"""Maximum number of findings in the table: a large network may repeat one in every layer."""

_STYLES = {"wrong": "red", "falls back": "yellow", "aborts": "red"}


def lint_and_print(path: Path, accelerators: Sequence[Accelerator], console: Console) -> bool:
    """Lint a file and print the findings.

    Args:
        path: path of the file.
        accelerators: accelerators whose rules to apply; empty for all.
        console: to print to.

    Returns:
        Whether there are findings.

    Raises:
        UsageError: the suffix is not .tflite, or an accelerator is unknown.
        SeaformerError: the file does not exist or is damaged.
    """
    names = [accelerator.name for accelerator in accelerators or ACCELERATORS.values()]
    findings = lint_file(path, names)
    print_findings(path, findings, console)
    return bool(findings)


def print_findings(path: Path, findings: Sequence[Finding], console: Console) -> None:
    """Print a table of the findings, and the effect and remedy of each rule.

    Args:
        path: path of the file.
        findings: in execution order.
        console: to print to.
    """
    if not findings:
        console.print(
            f"{path.name}: no operator is known to be wrong or to fall back to the CPU.",
            style="green",
        )
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("operator", justify="right", no_wrap=True)
    for heading in ("type", "shapes", "module", "rule"):
        table.add_column(heading, overflow="fold")
    table.add_column("effect", no_wrap=True)
    for finding in findings[:MAX_PRINTED]:
        rule = finding.rule
        table.add_row(
            str(finding.operator),
            finding.type,
            _shapes(finding),
            finding.module or "-",
            rule.name,
            f"{', '.join(rule.accelerators)}: {rule.effect}",
            style=_STYLES[rule.effect],
        )
    console.print(table)
    if len(findings) > MAX_PRINTED:
        console.print(f"... and {len(findings) - MAX_PRINTED} more")
    console.print()
    for rule, text in advice(findings).items():
        console.print(text)
        console.print(f"  Source: {rule.source}.", style="dim")


def advice(findings: Sequence[Finding]) -> dict[Rule, str]:
    """The affected operators, effect and remedy of each rule, as text."""
    found = {}
    for rule in dict.fromkeys(finding.rule for finding in findings):
        numbers = [finding.operator for finding in findings if finding.rule is rule]
        found[rule] = f"{rule.name} ({_listed(numbers)}): {rule.happens} {rule.remedy}"
    return found


def refused_operators(findings: Sequence[Finding]) -> str:
    """Name the operators that an accelerator does not run, with the first module; "" if none."""
    refused = [finding for finding in findings if finding.rule.effect != "wrong"]
    parts = []
    for type in dict.fromkeys(finding.type for finding in refused):
        ones = [finding for finding in refused if finding.type == type]
        where = f" in '{ones[0].module}'" if ones[0].module else ""
        more = f" and {len(ones) - 1} more" if len(ones) > 1 else ""
        parts.append(f"{type}{where}{more}")
    return ", ".join(parts)


def _shapes(finding: Finding) -> str:
    inputs = " x ".join(_shape(shape) for shape in finding.inputs)
    return f"{inputs} -> {', '.join(_shape(shape) for shape in finding.outputs)}"


def _shape(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:MAX_PRINTED]))
    more = f" and {len(numbers) - MAX_PRINTED} more" if len(numbers) > MAX_PRINTED else ""
    return f"operator{'s' if len(numbers) > 1 else ''} {shown}{more}"
