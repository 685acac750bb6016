"""The error for a checkpoint that does not fit, in terms of the usual mistakes where it is one."""

from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.models.identity import Identity, identify, is_related
from seaformer.network_names import option
from seaformer.tasks import TASKS
from seaformer.weights.checkpoint import Checkpoint, listed
from seaformer.weights.tensor_names import Shapes

BACKBONE = "backbone:"
"""What the path of a checkpoint is given with to load its backbone alone."""


def differences_of(offered: Shapes, expected: Shapes) -> str:
    """Say which names and shapes are not equal; nothing if all are.

    BatchNorm's `num_batches_tracked` may be missing: only training reads it, and files written by
    PyTorch before 0.4.1 do not have it.
    """
    missing = [
        name
        for name in expected
        if name not in offered and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in offered if name not in expected]
    misshapen = [
        f"{name} {list(offered[name])} instead of {list(shape)}"
        for name, shape in expected.items()
        if offered.get(name, shape) != shape
    ]
    groups = (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
    return "; ".join(f"{listed(names, f'{problem} tensor')}" for problem, names in groups if names)


def misfit(
    checkpoint: Checkpoint, asked: Identity, is_backbone: bool, differences: str
) -> SeaformerError:
    """Build the error for a checkpoint whose tensors are not those of the network `asked` for.

    `is_backbone` says whether only the backbones were compared; `differences_of` has the rest.
    """
    found = identify(checkpoint)
    if found is None and not is_related(checkpoint, asked.network.family):
        what = asked.network.title if asked.network.variant is None else "a SeaFormer"
        return SeaformerError(
            f"'{checkpoint.path}' does not hold {what} but "
            f"{listed(checkpoint.tensors, 'tensor')}. Give a checkpoint of {asked}."
        )
    advice = "" if found is None else _advice(found, asked, is_backbone, checkpoint.path)
    if found is None or not advice:
        part = "the backbone of " if is_backbone else ""
        return SeaformerError(
            f"'{checkpoint.path}' does not fit {part}{asked}: {differences}. Give a complete "
            "checkpoint of that very network."
        )
    is_same = (found.network.name, found.kind) == (asked.network.name, asked.kind)
    details = f" ({differences})" if is_same else ""
    return SeaformerError(f"'{checkpoint.path}' holds {found}, not {asked}{details}. {advice}")


def _advice(found: Identity, asked: Identity, is_backbone: bool, path: Path) -> str:
    """Say which options would ask for what was found; nothing if they are the same."""
    is_same = found.network.name == asked.network.name
    network = "" if is_same else f"{option(found.network.name)} "
    head = (found.kind, found.classes)
    if is_backbone or head == (asked.kind, asked.classes):
        return f"Use {network.strip()}." if network else ""
    tasks = [name for name, task in TASKS.items() if (task.kind, task.num_classes) == head]
    task_option = (
        f"--task {tasks[0]}"
        if tasks
        else f"--task FILE.json, or --labels with the {found.classes} names of its classes (a file "
        "with one a line, or A,B,...)"
    )
    advice = f"Use {network}{task_option}."
    if found.kind != asked.kind:
        advice += f" Or load its backbone alone: {network}--weights {BACKBONE}{path}."
    return advice
