"""Giving a network its weights: random ones, released ones, or those of a checkpoint.

Every tensor of the network has to be in the checkpoint and the other way round. What does not match
is an error that says, where it can, which network the checkpoint is for; nothing is loaded then.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from seaformer.errors import UnknownNameError, unknown_name
from seaformer.models.entry import Network
from seaformer.models.identity import Identity, names_in
from seaformer.models.misfit import BACKBONE, differences_of, misfit
from seaformer.tasks import Task
from seaformer.weights.builtin import BUILTIN, BuiltinWeights, find_builtin
from seaformer.weights.checkpoint import Checkpoint, listed, read_checkpoint
from seaformer.weights.download import fetch
from seaformer.weights.file_key import split_key
from seaformer.weights.random_weights import fill_random
from seaformer.weights.released import RELEASED, ReleasedWeights, find_released
from seaformer.weights.tensor_names import shapes_of

RANDOM = "random"
SEED = 0
SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors")
"""What the name of a file ends with, if it stands alone without a folder."""

_HEADS = ("spatial_branch.", "light_head.", "head.", "decode_head.", "linear.")
"""Everything but the backbone, in any naming."""

_BACKBONE_NOTE = (
    f"Only the backbone is that of the file; all that follows it is random (seed {SEED})."
)


@dataclass(frozen=True)
class WeightsRecord:
    """Where the weights of a network come from.

    Attributes:
        name: "random", the name of released weights or the name of a file.
        source: path or link of the file; "seed 0" for random weights.
        sha256: of the file, in hexadecimal; None for random weights.
        is_random: whether any weights are random, so that the output means nothing.
        class_names: the classes that the file says it was trained for; None if it says nothing or
            its head is not used.
        note: what a user should know of it, in a sentence or two; may be empty.
    """

    name: str
    source: str
    sha256: str | None
    is_random: bool
    class_names: tuple[str, ...] | None
    note: str


@dataclass(frozen=True)
class WeightsFile:
    """A checkpoint that was asked for: its path, its name in messages, and where it comes from.

    `is_backbone` says whether only the backbone was asked for, `task` is the name of the task that
    named weights were trained for; None for a file, which may say it itself.
    """

    path: Path
    name: str
    source: str
    is_backbone: bool
    task: str | None = None


def load_weights(
    model: nn.Module, network: Network, task: Task, weights: str | Path | None
) -> WeightsRecord:
    """Load weights into `model` and say where they came from.

    Args:
        model: the network, built for `task`, which has no meaning for a network that is as it is.
        network: its row of the registry.
        task: whose number of classes `model` has.
        weights: one of
            None or "random": seeded random weights, see `random_weights`;
            the name of weights that come with the package, see `builtin`;
            the name of released weights, see `released`: downloaded at its first use;
            the path of a checkpoint, see `checkpoint`, with the names of published ones or ours;
            "imagenet-backbone", "backbone:NAME" or "backbone:PATH": the backbone of the released
            classifier, of released weights or those of the package, whatever their task, or of a
            checkpoint; all that follows it is random.

    Raises:
        UsageError: `weights` is none of these, or the network loads none.
        SeaformerError: the file cannot be had or read, or is not for this network and task. The
            model is left as it was.
    """
    if weights is None or weights == RANDOM:
        fill_random(model, SEED)
        return WeightsRecord(RANDOM, f"seed {SEED}", None, True, None, "")
    network.check(task, weights)
    file = _find(weights, network, task)
    checkpoint = read_checkpoint(file.path)
    asked = Identity(network, task.kind, task.num_classes)
    state, beside = matching_tensors(checkpoint, model, asked, is_backbone=file.is_backbone)
    class_names, note = None, _BACKBONE_NOTE
    if file.is_backbone:
        fill_random(model, SEED)
    else:
        class_names, note = checkpoint.class_names, class_note(checkpoint, task)
    left_out = f"{listed(beside, 'tensor')} beside the network: left out." if beside else ""
    note = " ".join(filter(None, (checkpoint.note, left_out, note)))
    model.load_state_dict(model.state_dict() | state)
    return WeightsRecord(
        file.name, file.source, checkpoint.sha256, file.is_backbone, class_names, note
    )


def _find(weights: str | Path, network: Network, task: Task) -> WeightsFile:
    if isinstance(weights, Path) or weights.startswith(BACKBONE):
        return find_weights(weights, network)
    if builtin := find_builtin(weights, network.name, task):
        return _of_the_package(builtin)
    if is_path(weights):
        return find_weights(weights, network)
    return _fetched(find_released(weights, network.name, task))


def find_weights(weights: str | Path, network: Network) -> WeightsFile:
    """Find weights of a network whatever task they were trained for, given as for `load_weights`.

    Raises:
        UnknownNameError: it is a name, and there are none of this name for the network.
        SeaformerError: they cannot be downloaded.
    """
    if isinstance(weights, str) and weights.startswith(BACKBONE):
        file = find_weights(weights.removeprefix(BACKBONE), network)
        return replace(file, name=f"{BACKBONE}{file.name}", is_backbone=True)
    builtin = {row.name: row for row in BUILTIN if row.network == network.name}
    if weights in builtin:
        return _of_the_package(builtin[str(weights)])
    if isinstance(weights, Path) or is_path(weights):
        path = Path(weights).expanduser()
        return WeightsFile(path, path.name, str(path), is_backbone=False)
    released = {row.name: row for row in RELEASED if row.network == network.name}
    if weights not in released:
        error = unknown_name("weights", weights, [*builtin, *released, RANDOM])
        raise UnknownNameError(f"{error} Or give the path of a checkpoint.")
    return _fetched(released[weights])


def _of_the_package(row: BuiltinWeights) -> WeightsFile:
    return WeightsFile(row.path, row.name, row.source, is_backbone=False, task=row.task)


def _fetched(row: ReleasedWeights) -> WeightsFile:
    return WeightsFile(fetch(row), row.name, row.url, row.is_backbone, row.task)


def is_path(weights: str) -> bool:
    """Whether `weights`, as given to --weights, means a file and not a name."""
    # A file that happens to be called like released weights is given as ./ade20k.
    if not weights or any(weights == released.name for released in RELEASED):
        return False
    has_folder = "/" in weights or os.sep in weights
    file = split_key(Path(weights))[0]
    return has_folder or file.name.lower().endswith(SUFFIXES) or file.exists()


def matching_tensors(
    checkpoint: Checkpoint,
    model: nn.Module,
    asked: Identity,
    *,
    is_backbone: bool = False,
    without: Collection[str] = (),
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of `checkpoint` by our names, if they are just those of `model`.

    `asked` is what `model` is, `is_backbone` compares and returns those of the backbone only, and
    those `without`, by our names, are neither compared nor returned. The second are the names of
    those that stood beside the network, in a wrapper around both.

    Raises:
        SeaformerError: they are not.
    """
    network = asked.network
    shapes = shapes_of(model.state_dict())
    offered = dict(checkpoint.tensors)
    names = names_in(network, shapes, offered)
    for key in without:
        offered.pop(names.pop(key), None)
    beside = sorted((checkpoint.outside & offered.keys()) - set(names.values()))
    for name in beside:
        del offered[name]
    if is_backbone:
        # Without the prefix, which official segmentation checkpoints have and classifiers do not.
        names = {
            key: name.removeprefix("backbone.")
            for key, name in names.items()
            if key.startswith(network.backbone)
        }
        offered = {
            name.removeprefix("backbone."): tensor
            for name, tensor in offered.items()
            if not name.startswith(_HEADS)
        }
    expected = {name: shapes[key] for key, name in names.items()}
    if differences := differences_of(shapes_of(offered), expected):
        raise misfit(checkpoint, asked, is_backbone, differences)
    return {key: offered[name] for key, name in names.items() if name in offered}, beside


def class_note(checkpoint: Checkpoint, task: Task) -> str:
    """Compare the class names of the file, if it has any, with those of the task."""
    names = checkpoint.class_names
    if names is None:
        return ""
    if len(names) != task.num_classes:
        return (
            f"The file names {len(names)} classes and has weights for {task.num_classes}: the "
            f"labels are those of task {task.name}, which may be others than it was trained for. "
            "Give its --task or --labels."
        )
    differing = [
        (index, name, label)
        for index, (name, label) in enumerate(zip(names, task.labels, strict=True))
        if name.strip().lower() != label.strip().lower()
    ]
    if not differing:
        return ""
    index, name, label = differing[0]
    return (
        f"{len(differing)} of {len(names)} class names in the file differ from task {task.name}, "
        f"the first is class {index}: '{name}' in the file, '{label}' in the task."
    )
