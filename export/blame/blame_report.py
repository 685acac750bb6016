"""What `seaformer-export --blame` prints of what it found."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seaformer.console import Console
from seaformer.cutting.graph_description import GraphDescription, GraphOperator
from seaformer.export.blame.bench import Trial
from seaformer.export.blame.blame_files import needs_inputs
from seaformer.export.blame.culprits import Findings
from seaformer.export.blame.evidence import Evidence
from seaformer.export.blame.targets import Target

MAX_REASON = 240
"""Characters of a runtime's error: LiteRT lists its whole call stack. The report has all."""

MAX_LIKE = 6
"""Further operators of a kind that are named; the report in JSON has all."""


def print_clean(console: Console, findings: Findings, file: Path, target: Target) -> None:
    """Say that nothing differs, and what to do next."""
    console.print()
    console.print(
        f"{file.name} computes the same on {target.title}: {findings.whole.worst}.",
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
    """Show one kind of fault: operator, tensors, fault, what to do, and the file that shows it."""
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
            line("", "(judged by the first: not each was tried alone)")
    for what in advice:
        line("to do", what)
    line("shown by", f"{model} ({_proof(evidence)})")


def print_summary(
    console: Console, findings: Findings, count: int, report: Path, target: Target
) -> None:
    """Show what the search covers, and what to do next."""
    console.print()
    if not findings.culprits:
        said = shortened(str(findings.whole))
        console.print(f"The whole file: {said}. No operator at fault was found.", soft_wrap=True)
    console.print(
        f"{len(findings.culprits)} operators at fault on {target.title}, {count} kinds. "
        f"All of them: {report}",
        soft_wrap=True,
    )
    if findings.rest is not None:
        console.print(
            f"Without them the file there: {shortened(str(findings.rest))}.", soft_wrap=True
        )
        if not findings.rest.is_good:
            console.print("More is wrong: fix these operators first, and run the search again.")
    _print_unexamined(console, findings)


def print_next(console: Console, model: Path, target: Target, chip: str | None) -> None:
    """Show the next command; `chip` is that of the target."""
    soc = "" if chip is None else f" --soc {chip}"
    console.print()
    console.print("Next, to see whether another version of the runtime fixes it:")
    console.print(f"  seaformer-export --blame {target.name} {model}{soc} --force", soft_wrap=True)


def _name(operator: GraphOperator, module_of: Mapping[int, str]) -> str:
    module = module_of.get(operator.index)
    return f"operator {operator.index}, {operator.type}" + (f", module {module}" if module else "")


def _print_unexamined(console: Console, findings: Findings) -> None:
    if findings.unexamined:
        first, last = findings.unexamined[0].index, findings.unexamined[-1].index
        console.print(
            f"{len(findings.unexamined)} operators from {first} to {last} were not tried alone: "
            "the target does not take their tensors as inputs or outputs, or the search would have "
            "taken too long. Run it again when these faults are gone.",
            soft_wrap=True,
        )


def _proof(evidence: Evidence) -> str:
    """What the file shows when it is run by itself."""
    if evidence.is_alone:
        what = "one operator"
    else:
        what = f"{len(evidence.cut.operators)} operators, the fewest that show it"
    if evidence.own.is_good:
        return f"{what}; by itself it is right: the fault shows in the whole file only"
    if needs_inputs(evidence):
        return f"{what}; it shows on the inputs in the .npz beside it, not on noise"
    shown = evidence.on_noise or evidence.own
    return f"{what}; by itself it {_verb(shown)}"


def _verb(trial: Trial) -> str:
    if trial.failure is None:
        return str(trial)
    return "is refused" if trial.failure.kind == "refused" else trial.failure.kind


def shortened(text: str) -> str:
    """A text of a runtime, at most `MAX_REASON` characters of it."""
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 3]}..."
