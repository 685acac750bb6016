"""The error for a checkpoint that does not fit the network, with advice for common mistakes."""

from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.models.identity import Identity, identify, is_related
from seaformer.network_names import option
from seaformer.tasks import TASKS
from seaformer.weights.checkpoint import Checkpoint, listed
from seaformer.weights.tensor_names import Shapes

BACKBONE = "backbone:"
"""Prefix of a checkpoint's path or name to load only its backbone."""


def differences_of(offered: Shapes, expected: Shapes) -> str:
    """Describe which names and shapes differ; empty if none do.

    BatchNorm's `num_batches_tracked` may be missing: it is only used in training, and files written
    by PyTorch before 0.4.1 do not have it.
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
    checkpoint: Checkpoint, expected: Identity, is_backbone: bool, differences: str
) -> SeaformerError:
    """Build the error for a checkpoint whose tensors do not match the `expected` network.

    `is_backbone` says whether only the backbones were compared; `differences` is the result of
    `differences_of`.
    """
    is_library = expected.network.declares_contract
    # For a network of a library, the differences are more useful than the name of a network of the
    # registry with the same tensors.
    found = None if is_library else identify(checkpoint)
    if found is None and not is_library and not is_related(checkpoint, expected.network.family):
        what = expected.network.title if expected.network.variant is None else "a SeaFormer"
        return SeaformerError(
            f"'{checkpoint.path}' does not contain {what} but "
            f"{listed(checkpoint.tensors, 'tensor')}. Give a checkpoint of {expected}."
        )
    advice = "" if found is None else _advice(found, expected, is_backbone, checkpoint.path)
    if found is None or not advice:
        backbone = "the backbone of " if is_backbone else ""
        return SeaformerError(
            f"'{checkpoint.path}' does not fit {backbone}{expected}: {differences}. Give a "
            "complete checkpoint of exactly this network."
        )
    is_same = (found.network.name, found.kind) == (expected.network.name, expected.kind)
    details = f" ({differences})" if is_same else ""
    return SeaformerError(
        f"'{checkpoint.path}' contains {found}, not {expected}{details}. {advice}"
    )


def _advice(found: Identity, expected: Identity, is_backbone: bool, path: Path) -> str:
    """Name the options that fit the network found; empty if it is the expected one."""
    is_same = found.network.name == expected.network.name
    network = "" if is_same else f"{option(found.network.name)} "
    head = (found.kind, found.classes)
    if is_backbone or head == (expected.kind, expected.classes):
        return f"Use {network.strip()}." if network else ""
    tasks = [name for name, task in TASKS.items() if (task.kind, task.num_classes) == head]
    task_option = (
        f"--task {tasks[0]}"
        if tasks
        else f"--task FILE.json, or --labels with the names of its {found.classes} classes (a file "
        "with one per line, or A,B,...)"
    )
    advice = f"Use {network}{task_option}."
    if found.kind != expected.kind:
        advice += f" Or load only its backbone: {network}--weights {BACKBONE}{path}."
    return advice
