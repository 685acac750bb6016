"""Terminal output of a search for the faulty operator."""

from collections.abc import Sequence
from pathlib import Path
from shlex import join

from seaformer.artifact.accelerators import ACCELERATORS, CPU, GPU
from seaformer.benchmark.results.blame_results import (
    BLAME_NAME,
    BLAME_PAGE_NAME,
    BlamedOperator,
    BlameResults,
    TensorAgreement,
    Trial,
)
from seaformer.console import Console

OUTCOMES = {
    "agrees": "agrees with the reference",
    "differs": "differs from the reference",
    "refused": "is refused",
    "died": "crashes",
    "hangs": "does not finish",
}
"""Outcome of a trial -> predicate of a sentence about the model or the operator."""

_INPUTS = {"photograph": "the bundled photograph", "noise": "seeded noise"}

MAX_REASON = 240
"""Maximum length of a device's message in characters; the JSON has the full text."""


def print_blame(console: Console, results: BlameResults, folder: Path) -> None:
    """Print the result, the paths of the files, and follow-up commands."""
    for line in headline(results):
        console.print(line, style="bold", soft_wrap=True)
    blamed = results.blamed
    if blamed is not None:
        for name, text in operator_lines(blamed):
            console.print(f"  {name:<8} {text}", soft_wrap=True)
    for line in remarks(results):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(f"results: {folder / BLAME_NAME}", soft_wrap=True)
    console.print(f"page: {folder / BLAME_PAGE_NAME}", soft_wrap=True)
    if commands := next_commands(results, folder):
        console.print()
        console.print("Next:")
        for what, command in commands:
            console.print(f"  {command}  # {what}", soft_wrap=True)


def headline(results: BlameResults) -> list[str]:
    """The result of the search, a sentence or two."""
    name, where = Path(results.model).name, place(results)
    blamed = results.blamed
    if results.verdict == "agrees":
        worst = results.trials[0].worst
        found = agreement(worst) if worst else "all outputs"
        return [f"{name} agrees with the reference on {where}: {found}."]
    if results.verdict == "unfinished":
        return [f"The search in {name} on {where} did not finish."]
    if results.verdict == "range":
        first, last = results.suspects[0], results.suspects[-1]
        return [
            f"{name} on {where}: the first faulty operator is one of {len(results.suspects)}, "
            f"from {first.index} ({first.type}) to {last.index} ({last.type}). Truncated models "
            "that end between them do not run on the device."
        ]
    assert blamed is not None
    if results.verdict == "gradual":
        return [
            f"{name} on {where}: the difference grows gradually, and falls below "
            f"{results.min_db:g} dB at {titled(blamed)}. No single operator causes it: this is "
            "rounding, not a fault."
        ]
    return [f"{name} on {where}: {titled(blamed)}, {OUTCOMES[blamed.outcome]}."]


def titled(blamed: BlamedOperator) -> str:
    """The operator and its module as text."""
    module = f", module {blamed.module}" if blamed.module else ""
    return f"operator {blamed.index}, {blamed.type}{module}"


def operator_lines(blamed: BlamedOperator) -> list[tuple[str, str]]:
    """Heading and text of each fact about the operator."""
    lines = [
        ("inputs", _tensors(blamed.inputs)),
        ("outputs", _tensors(blamed.outputs)),
    ]
    if blamed.before_db is not None and blamed.after_db is not None:
        lines.append(
            ("SQNR", f"{decibels(blamed.before_db)} before it, {decibels(blamed.after_db)} after")
        )
    if blamed.reason is not None:
        lines.append(("reason", shortened(blamed.reason)))
    lines.append(("alone", _alone(blamed.alone)))
    return lines


def remarks(results: BlameResults) -> list[str]:
    """Caveats of the result."""
    found = []
    count = len(results.trials)
    precision = "half" if results.half else "single"
    found.append(
        f"{count} models of up to {results.operators} operators ran on the device, compared with "
        f"{results.reference} on {_INPUTS[results.input.source]}. A tensor agrees at "
        f"{results.min_db:g} dB or more; floating point is computed in {precision} precision."
    )
    if results.emulated:
        found.append(
            "The processor or the accelerator is emulated: a phone may behave differently."
        )
    if any(one.fully_accelerated is False for one in results.trials):
        found.append(
            f"The {ACCELERATORS[results.accelerator].title} did not run every operator: the CPU "
            "ran the others. --require-full-acceleration reports those as faulty."
        )
    return found


def next_commands(results: BlameResults, folder: Path) -> list[tuple[str, str]]:
    """Follow-up commands, each with its purpose."""
    blamed, serial = results.blamed, results.device.serial
    here = ["--device", serial, *(["--soc", results.soc] if results.soc else [])]
    if results.verdict == "agrees":
        command = ["seaformer-benchmark", results.model, "--backend", results.backend, *here]
        return [("measure its latency there", join(command))]
    if blamed is None or blamed.file is None:
        return []
    file = str(folder / blamed.file)
    found = []
    if results.verdict == "gradual":
        if results.half and results.accelerator == GPU:
            again = ["seaformer-benchmark", results.model, "--blame", results.accelerator, *here]
            found.append(("search in single precision", join(again)))
        return found
    if blamed.alone is not None:
        again = ["seaformer-benchmark", file, "--blame", results.accelerator, *here]
        found.append(("test the operator alone, for example with another version", join(again)))
    if file.endswith(".tflite") and results.accelerator in (GPU, CPU):
        target = "gpu" if results.accelerator == GPU else "xnnpack"
        desk = ["seaformer-export", "--blame", target, file]
        found.append(("check whether this computer has the same fault", join(desk)))
    return found


def place(results: BlameResults) -> str:
    """The accelerator and the device as text."""
    device = results.device
    named = " ".join(filter(None, (device.manufacturer, device.model)))
    title = ACCELERATORS[results.accelerator].title
    driver = f", {results.runtime.driver}," if results.runtime.driver else ""
    return f"the {title}{driver} of {device.serial}{f' ({named})' if named else ''}"


def agreement(tensor: TensorAgreement) -> str:
    """The agreement of a tensor, as text."""
    if tensor.is_constant:
        return "constant"
    if tensor.value is None:
        return "given" if tensor.is_given else "not compared"
    if tensor.unit == "dB":
        return decibels(tensor.value)
    return f"{tensor.value:.4g} {tensor.unit}"


def shortened(text: str) -> str:
    """A device's message, truncated to `MAX_REASON` characters."""
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 3]}..."


def decibels(value: float) -> str:
    """Format a signal-to-noise ratio; 300 dB and more means no difference."""
    if abs(value) >= 300:
        return "no difference" if value > 0 else "not finite"
    return f"{value:.1f} dB"


def _tensors(tensors: Sequence[TensorAgreement]) -> str:
    return "; ".join(
        f"[{', '.join(map(str, one.shape))}] {one.dtype}, {agreement(one)}" for one in tensors
    )


def _alone(alone: Trial | None) -> str:
    if alone is None:
        return "not run: it reads several tensors, and the runner supplies only one"
    worst = alone.worst
    value = f": {agreement(worst)}" if worst is not None else ""
    if alone.outcome == "agrees":
        return f"{OUTCOMES['agrees']}{value}. It differs only when the preceding operators run too."
    reason = "" if alone.reason is None else f": {shortened(alone.reason)}"
    return f"{OUTCOMES[alone.outcome]}{value}{reason}"
