"""The terminal output of `seaformer-export --blame`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seaformer.console import Console
from seaformer.export.blame.blame_files import needs_inputs
from seaformer.export.blame.culprits import Findings
from seaformer.export.blame.evidence import Evidence
from seaformer.export.blame.target_runner import Trial
from seaformer.export.blame.targets import Target
from seaformer.extraction.graph_description import GraphDescription, GraphOperator

MAX_REASON = 240
"""Maximum length of a runtime's error: LiteRT prints its call stack. The JSON has the full text."""

MAX_LIKE = 6
"""Maximum number of further operators with the same fault to print; the JSON lists all."""


def print_clean(console: Console, findings: Findings, file: Path, target: Target) -> None:
    """Print that nothing differs, and the next command."""
    console.print()
    console.print(
        f"{file.name} matches the reference on {target.title}: {findings.whole.worst}.",
        style="green",
        soft_wrap=True,
    )
    _print_unexamined(console, findings)
    console.print()
    console.print("Next:")
    console.print(f"  seaformer-benchmark {file}", soft_wrap=True)


def print_evidence(
    console: Console,
    evidence: Evidence,
    model: Path,
    advice: Sequence[str],
    graph: GraphDescription,
    module_of: Mapping[int, str],
) -> None:
    """Print one kind of fault: operator, tensors, fault, advice, and the minimal file."""
    first, *others = evidence.culprits
    operator = first.operator

    def line(heading: str, text: str) -> None:
        console.print(f"  {heading:<9} {text}", soft_wrap=True)

    console.print()
    console.print(_name(operator, module_of), style="bold", soft_wrap=True)
    for heading, places in (("inputs", operator.inputs), ("outputs", operator.outputs)):
        shown = [
            f"{'constant ' if tensor in graph.constants else ''}{graph.tensors[tensor]}"
            for tensor in places
        ]
        line(heading, ", ".join(shown))
    context = " in context" if first.among else ""
    line("fault", shortened(f"{first.fault}{context}"))
    if others:
        named = "; ".join(_name(one.operator, module_of) for one in others[:MAX_LIKE])
        more = len(others) - MAX_LIKE
        line("also", named + (f"; and {more} more" if more > 0 else ""))
        if any(one.like is not None for one in others):
            line("", "(inferred from the first operator; not all were run alone)")
    for what in advice:
        line("to do", what)
    line("file", f"{model} ({_proof(evidence)})")


def print_summary(
    console: Console, findings: Findings, count: int, report: Path, target: Target
) -> None:
    """Print the number of faults, the result without them, and what was not examined."""
    console.print()
    if not findings.culprits:
        result = shortened(str(findings.whole))
        console.print(f"The whole file: {result}. No operator at fault was found.", soft_wrap=True)
    console.print(
        f"{len(findings.culprits)} operators at fault on {target.title}, {count} kinds of fault. "
        f"Full list: {report}",
        soft_wrap=True,
    )
    if findings.rest is not None:
        console.print(
            f"Result of the file without them: {shortened(str(findings.rest))}.", soft_wrap=True
        )
        if not findings.rest.is_good:
            console.print("There are further faults: fix these operators and search again.")
    _print_unexamined(console, findings)


def print_next(console: Console, model: Path, target: Target, chip: str | None) -> None:
    """Print the next command; `chip` is the chip of the target."""
    soc = "" if chip is None else f" --soc {chip}"
    console.print()
    console.print("Next, to check whether another version of the runtime fixes it:")
    console.print(f"  seaformer-export --blame {target.name} {model}{soc} --force", soft_wrap=True)


def _name(operator: GraphOperator, module_of: Mapping[int, str]) -> str:
    module = module_of.get(operator.index)
    return f"operator {operator.index}, {operator.type}" + (f", module {module}" if module else "")


def _print_unexamined(console: Console, findings: Findings) -> None:
    if findings.unexamined:
        first, last = findings.unexamined[0].index, findings.unexamined[-1].index
        console.print(
            f"{len(findings.unexamined)} operators from {first} to {last} were not run alone: the "
            "target does not support their tensors as inputs or outputs, or the search would have "
            "taken too long. Search again when these faults are fixed.",
            soft_wrap=True,
        )


def _proof(evidence: Evidence) -> str:
    """Describe what the minimal file reproduces when it is run alone."""
    if evidence.is_alone:
        what = "one operator"
    else:
        what = f"{len(evidence.extracted.operators)} operators, the fewest that reproduce the fault"
    if evidence.own.is_good:
        return f"{what}; correct when run alone: only the whole file reproduces the fault"
    if needs_inputs(evidence):
        return f"{what}; needs the inputs in the .npz beside it: noise does not reproduce the fault"
    shown = evidence.on_noise or evidence.own
    return f"{what}; run alone, it {_verb(shown)}"


def _verb(trial: Trial) -> str:
    if trial.failure is None:
        return str(trial)
    return "is refused" if trial.failure.kind == "refused" else trial.failure.kind


def shortened(text: str) -> str:
    """A runtime's message, truncated to `MAX_REASON` characters."""
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 3]}..."
