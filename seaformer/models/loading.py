"""Loading weights into a network: random, released, or from a checkpoint.

Every tensor of the network must be in the checkpoint, and vice versa. On a mismatch, nothing is
loaded, and the error names the network that the checkpoint belongs to if it can be identified.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from seaformer.errors import UnknownNameError, unknown_name
from seaformer.files import path_exists
from seaformer.models.entry import Network
from seaformer.models.identity import Identity, names_in
from seaformer.models.misfit import BACKBONE, differences_of, misfit
from seaformer.tasks import Task
from seaformer.weights.builtin import BUILTIN, BuiltinWeights, find_builtin
from seaformer.weights.checkpoint import Checkpoint, listed, read_checkpoint
from seaformer.weights.download import fetch
from seaformer.weights.file_key import split_key
from seaformer.weights.random_by_type import fill_by_type
from seaformer.weights.random_weights import fill_random
from seaformer.weights.released import RELEASED, ReleasedWeights, find_released
from seaformer.weights.state_dicts import PARTS
from seaformer.weights.tensor_names import shapes_of

RANDOM = "random"
PRETRAINED = "pretrained"
"""Name of weights that the network's own library downloads."""
SEED = 0
SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors", ".pdparams")
"""Suffixes by which a value without a folder is recognized as a file name."""

_HEADS = ("spatial_branch.", "light_head.", "head.", "decode_head.", "linear.", "norm.")
"""Prefixes of all tensors outside the backbone, in all naming schemes."""

_BACKBONE_NOTE = (
    f"Only the backbone is loaded from the file; all other layers are random (seed {SEED})."
)


@dataclass(frozen=True)
class WeightsRecord:
    """Where the weights of a network come from.

    Attributes:
        name: "random", the name of released weights, or the name of a file.
        source: path or URL of the file; "seed 0" for random weights.
        sha256: SHA-256 of the file, in hexadecimal; None for random weights.
        is_random: whether any weights are random, which makes the output meaningless.
        class_names: classes recorded in the file; None if it records none or its head is not used.
        note: one or two sentences for the user; may be empty.
    """

    name: str
    source: str
    sha256: str | None
    is_random: bool
    class_names: tuple[str, ...] | None
    note: str


@dataclass(frozen=True)
class WeightsFile:
    """A requested checkpoint.

    Attributes:
        path: path of the file.
        name: name in messages.
        source: path or URL.
        is_backbone: whether only the backbone was requested.
        task: name of the task that named weights were trained for; None for a user's file, which
            may record it.
    """

    path: Path
    name: str
    source: str
    is_backbone: bool
    task: str | None = None


def load_weights(
    model: nn.Module, network: Network, task: Task, weights: str | Path | None
) -> WeightsRecord:
    """Load weights into `model`, and return where they come from.

    Args:
        model: the network, built for `task` unless it does not depend on the task.
        network: its row in the registry.
        task: the task; `model` has its number of classes.
        weights: one of
            None or "random": seeded random weights, see `random_weights`;
            the name of built-in weights, see `builtin`;
            the name of released weights, see `released`, downloaded on first use;
            the path of a checkpoint, see `checkpoint`, with published tensor names or ours;
            "imagenet-backbone": the backbone of the released classifier;
            "backbone:NAME": the backbone of released or built-in weights, for any task, of this
            network or of the network with the same backbone;
            "backbone:PATH": the backbone of a checkpoint.
            In the last three cases, all other layers are random.

    Raises:
        UsageError: `weights` has none of these forms, or the network cannot load weights.
        SeaformerError: the file cannot be downloaded or read, or does not fit network and task. The
            model is unchanged.
    """
    if weights is None or weights == RANDOM:
        (fill_random if network.pretrained is None else fill_by_type)(model, SEED)
        return WeightsRecord(RANDOM, f"seed {SEED}", None, True, None, "")
    network.check(task, weights)
    file = _find(weights, network, task)
    checkpoint = read_checkpoint(file.path, _parts(model) if network.declares_contract else PARTS)
    expected = Identity(network, task.kind, task.num_classes)
    state, unused = matching_tensors(checkpoint, model, expected, is_backbone=file.is_backbone)
    class_names, note = None, _BACKBONE_NOTE
    if file.is_backbone:
        fill_random(model, SEED)
    else:
        class_names = checkpoint.class_names
        note = "" if network.declares_contract else class_note(checkpoint, task)
    left_out = f"Not loaded: {listed(unused, 'tensor')} outside the network." if unused else ""
    note = " ".join(filter(None, (checkpoint.note, left_out, note)))
    model.load_state_dict(model.state_dict() | state)
    return WeightsRecord(
        file.name, file.source, checkpoint.sha256, file.is_backbone, class_names, note
    )


def _find(weights: str | Path, network: Network, task: Task) -> WeightsFile:
    if isinstance(weights, Path) or weights.startswith(BACKBONE):
        return find_weights(weights, network)
    if builtin := find_builtin(weights, network.name, task):
        return _builtin_file(builtin)
    if is_path(weights):
        return find_weights(weights, network)
    return _released_file(find_released(weights, network.name, task))


def find_weights(weights: str | Path, network: Network) -> WeightsFile:
    """Find weights of a network, for any task; `weights` is as for `load_weights`.

    Raises:
        UnknownNameError: the network has no weights of this name.
        SeaformerError: the weights cannot be downloaded.
    """
    if isinstance(weights, str) and weights.startswith(BACKBONE):
        owners = (network.name, network.backbone_network)
        file = _find_of(weights.removeprefix(BACKBONE), network, owners)
        return replace(file, name=f"{BACKBONE}{file.name}", is_backbone=True)
    return _find_of(weights, network, (network.name,))


def _find_of(weights: str | Path, network: Network, owners: Collection[str]) -> WeightsFile:
    """Find weights; names are looked up among those of the networks `owners`."""
    builtin = {row.name: row for row in BUILTIN if row.network in owners}
    if weights in builtin:
        return _builtin_file(builtin[str(weights)])
    if isinstance(weights, Path) or is_path(weights):
        path = Path(weights).expanduser()
        return WeightsFile(path, path.name, str(path), is_backbone=False)
    released = {row.name: row for row in RELEASED if row.network in owners}
    if weights not in released:
        library = [] if network.pretrained is None else [PRETRAINED]
        error = unknown_name("weights", weights, [*builtin, *released, *library, RANDOM])
        raise UnknownNameError(f"{error} Or give the path of a checkpoint.")
    return _released_file(released[weights])


def _builtin_file(row: BuiltinWeights) -> WeightsFile:
    return WeightsFile(row.path, row.name, row.source, is_backbone=False, task=row.task)


def _released_file(row: ReleasedWeights) -> WeightsFile:
    return WeightsFile(fetch(row), row.name, row.url, row.is_backbone, row.task)


def _parts(model: nn.Module) -> tuple[str, ...]:
    return tuple({f"{name.partition('.')[0]}." for name in model.state_dict()})


def is_path(weights: str) -> bool:
    """Whether `weights`, a value of --weights, means a file rather than a name."""
    # A file with the name of released weights is given as ./ade20k.
    if not weights or any(weights == released.name for released in RELEASED):
        return False
    has_folder = "/" in weights or os.sep in weights
    file = split_key(Path(weights))[0]
    return has_folder or file.name.lower().endswith(SUFFIXES) or path_exists(file)


def matching_tensors(
    checkpoint: Checkpoint,
    model: nn.Module,
    expected: Identity,
    *,
    is_backbone: bool = False,
    without: Collection[str] = (),
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of `checkpoint` by our names, if they match `model` exactly.

    Args:
        checkpoint: the file.
        model: the network to load into.
        expected: identity of `model`.
        is_backbone: compare and return only the tensors of the backbone.
        without: tensors, by our names, that are neither compared nor returned.

    Returns:
        The tensors, and the names of the unused tensors, which a wrapper in the file holds in
        addition to the network.

    Raises:
        SeaformerError: the tensors do not match.
    """
    network = expected.network
    shapes = shapes_of(model.state_dict())
    tensors = checkpoint.tensors
    if network.renamed is not None:
        tensors = network.renamed(model, tensors)
    offered = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(network.auxiliary) and not name.endswith(network.computed)
    }
    names = names_in(network, shapes, offered)
    for key in without:
        offered.pop(names.pop(key), None)
    unused = sorted((checkpoint.outside & offered.keys()) - set(names.values()))
    for name in unused:
        del offered[name]
    if is_backbone:
        # Official segmentation checkpoints have this prefix, classification checkpoints do not.
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
    expected_shapes = {name: shapes[key] for key, name in names.items()}
    if differences := differences_of(shapes_of(offered), expected_shapes):
        raise misfit(checkpoint, expected, is_backbone, differences)
    return {key: offered[name] for key, name in names.items() if name in offered}, unused


def class_note(checkpoint: Checkpoint, task: Task) -> str:
    """Return a note if the file has class names and they differ from the task's; else ""."""
    names = checkpoint.class_names
    if names is None:
        return ""
    if len(names) != task.num_classes:
        return (
            f"The file names {len(names)} classes but has weights for {task.num_classes}: the "
            f"labels of task {task.name} are used, which may be wrong. Give the --task or --labels "
            "that it was trained for."
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
        f"{len(differing)} of {len(names)} class names in the file differ from the names in task "
        f"{task.name}; the first is class {index}: '{name}' in the file, '{label}' in the task."
    )
