"""Building a peer and giving it its weights."""

from pathlib import Path

import torch
from torch import Tensor, nn

from seaformer.errors import SeaformerError
from seaformer.models.peers import PEERS, Peer
from seaformer.tasks import Task
from seaformer.weights.checkpoint import Checkpoint, read_checkpoint
from seaformer.weights.download import fetch
from seaformer.weights.loading import RANDOM, SEED, WeightsRecord, class_note, is_path
from seaformer.weights.misfit import differences_of
from seaformer.weights.peer_files import find_released
from seaformer.weights.random_weights import fill_random
from seaformer.weights.skeleton import Shapes, shapes_of


def create_peer_with_record(
    peer: Peer, task: Task, weights: str | Path | None
) -> tuple[nn.Module, WeightsRecord]:
    """Create a peer that is ready to run, and say where its weights came from.

    Args:
        peer: a row of `seaformer.models.peers`.
        task: of segmentation.
        weights: None or "random" for seeded random ones, the name of released ones, or the path of
            a checkpoint, with the names of the published ones or with ours.

    Returns:
        The network in eval mode, float32, which takes normalised RGB and returns logits.

    Raises:
        UsageError: there are no weights of this name.
        SeaformerError: the weights cannot be had, read, or are not for this peer and task.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        model = peer.build(task.num_classes).eval().requires_grad_(False)
    if weights is None or weights == RANDOM:
        fill_random(model, SEED)
        return model, WeightsRecord(RANDOM, f"seed {SEED}", None, True, None, "")
    if isinstance(weights, Path) or is_path(weights):
        path = Path(weights).expanduser()
        name, source = path.name, str(path)
    else:
        released = find_released(weights, peer, task)
        path, name, source = fetch(released), released.name, released.url
    checkpoint = read_checkpoint(path)
    model.load_state_dict(model.state_dict() | _matching(checkpoint, model, peer, task))
    note = class_note(checkpoint, task)
    record = WeightsRecord(name, source, checkpoint.sha256, False, checkpoint.class_names, note)
    return model, record


def _matching(
    checkpoint: Checkpoint, model: nn.Module, peer: Peer, task: Task
) -> dict[str, Tensor]:
    """Return the tensors of `checkpoint` by our names, if they are just those of `model`."""
    shapes = shapes_of(model.state_dict())
    offered = shapes_of(checkpoint.tensors)
    names = _names(peer, shapes, offered)
    expected = {names[key]: shape for key, shape in shapes.items()}
    if differences := differences_of(offered, expected):
        advice = f"Give a checkpoint of {peer.title} for task {task.name}."
        if (fitting := _owner(offered)) is not None and fitting is not peer:
            advice = f"It is one of {fitting.title}: use --model {fitting.name}."
        raise SeaformerError(
            f"'{checkpoint.path}' does not fit {peer.title} with {task.num_classes} classes: "
            f"{differences}. {advice}"
        )
    tensors = checkpoint.tensors
    return {key: tensors[name] for key, name in names.items() if name in tensors}


def _names(peer: Peer, shapes: Shapes, offered: Shapes) -> dict[str, str]:
    """Map our names to the published ones, or to themselves for a checkpoint of ours."""
    is_ours = peer.official_names is None or shapes.keys() == offered.keys()
    return {key: key for key in shapes} if is_ours else peer.official_names(shapes)  # type: ignore[misc]


def _owner(offered: Shapes) -> Peer | None:
    """The peer whose tensors these are, but for the number of classes."""
    for peer in PEERS.values():
        with torch.device("meta"):
            shapes = shapes_of(peer.build(1).state_dict())
        names = _names(peer, shapes, offered)
        differing = [
            key for key, shape in shapes.items() if offered.get(names[key], shape) != shape
        ]
        same_names = {name for key, name in names.items() if "num_batches" not in key}
        if same_names <= offered.keys() and all("classifier" in key for key in differing):
            return peer
    return None
