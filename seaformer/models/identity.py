"""Identifying the network of a checkpoint by the names and shapes of its tensors."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch

from seaformer.errors import UsageError
from seaformer.extras import is_installed
from seaformer.models.entry import Network
from seaformer.models.registry import REGISTRY
from seaformer.models.resolve import resolve
from seaformer.weights.checkpoint import Checkpoint
from seaformer.weights.tensor_names import Shapes, shapes_of

_SAME = 0.9
"""Minimum share of matching tensors for a checkpoint to be identified. Below 1, so that a file that
lacks a tensor is still identified; two variants share less than a quarter of their tensors."""

_RELATED = 0.5
"""Minimum share of matching tensor names for a checkpoint to belong to a family."""


@dataclass(frozen=True)
class Identity:
    """The network whose weights a checkpoint contains."""

    network: Network
    kind: str
    classes: int

    def __str__(self) -> str:
        if self.network.declares_contract:
            return self.network.title
        changes = ", ".join(f"{name}={value}" for name, value in self.network.ablation.items())
        ablation = f" (ablation {changes})" if changes else ""
        return f"{self.network.long_title}{ablation} for {self.kind} with {self.classes} classes"


def names_in(network: Network, keys: Iterable[str], offered: Collection[str]) -> dict[str, str]:
    """Map the keys of a network's state_dict to their names in a checkpoint.

    `offered` are the names in the checkpoint. They are assumed to be the names of
    published checkpoints unless more of them match those of a library, or our own keys.
    """
    ours = {key: key for key in keys}
    if network.official_names is None:
        return ours
    maps = (network.official_names, *network.library_names)
    named = [*(names(ours) for names in maps), ours]
    return max(named, key=lambda names: _shared(names.values(), offered))


def _shared(ours: Iterable[str], theirs: Iterable[str]) -> int:
    """Count the names in both, with or without the prefix of a backbone."""
    return len(
        set.intersection(*({n.removeprefix("backbone.") for n in m} for m in (ours, theirs)))
    )


def identify(checkpoint: Checkpoint) -> Identity | None:
    """Return the network of the registry that nearly all tensors match, or None."""
    offered = shapes_of(checkpoint.tensors)
    best, found = 0.0, None
    for network, kind in _loadable():
        shapes = _shapes(network, kind, 1)
        names = names_in(network, shapes, offered)
        if not _share(names.values(), offered) >= _RELATED:
            continue  # saves finding out which tensors belong to the classifier
        classifier = [names[key] for key in classifier_keys(network, kind)]
        expected = _distinctive({names[key]: shape for key, shape in shapes.items()}, classifier)
        share = _share(expected, _distinctive(offered, classifier))
        if share >= _SAME and share > best and classifier[0] in offered:
            classes = classes_of(network, kind, offered[classifier[0]])
            best, found = share, Identity(network, kind, classes)
        if best == 1.0:
            break
    return found


def identified(checkpoint: Checkpoint) -> Network:
    """Return the network recorded in a checkpoint, or the network that its tensors match.

    A recorded name is looked up only in the registry.

    Raises:
        UsageError: the network cannot be identified.
    """
    if checkpoint.network is not None:
        return resolve(checkpoint.network, allow_factory=False)
    identity = identify(checkpoint)
    if identity is None:
        raise UsageError(
            f"the network of '{checkpoint.path}' cannot be identified by its tensors. Give "
            "--variant or --model to see what differs."
        )
    return identity.network


def is_related(checkpoint: Checkpoint, family: str) -> bool:
    """Whether the tensor names, regardless of shapes, match a family of networks."""
    for network, kind in _loadable():
        if network.family == family:
            names = set(names_in(network, _shapes(network, kind, 1), checkpoint.tensors).values())
            if len(names & checkpoint.tensors.keys()) >= _RELATED * len(names):
                return True
    return False


def _loadable() -> Iterator[tuple[Network, str]]:
    for network in REGISTRY.values():
        if network.library is not None and not is_installed(network.library):
            continue
        for kind in network.builders:
            yield network, kind


def classifier_keys(network: Network, kind: str) -> list[str]:
    """Return the keys of the tensors whose shapes depend on the number of classes."""
    shapes, wider = _shapes(network, kind, 1), _shapes(network, kind, 2)
    return [key for key in shapes if shapes[key] != wider[key]]


def classes_of(network: Network, kind: str, shape: tuple[int, ...]) -> int:
    """Return the number of classes, given the shape of the first of `classifier_keys`."""
    # The classifier of a detection network has outputs for each of several anchors.
    return shape[0] // _shapes(network, kind, 1)[classifier_keys(network, kind)[0]][0]


@cache
def _shapes(network: Network, kind: str, classes: int) -> Shapes:
    """Return the tensor shapes of a network, without allocating its tensors."""
    with torch.device("meta"):
        return shapes_of(network.build(kind, classes).state_dict())


def _share(ours: Iterable[object], theirs: Iterable[object]) -> float:
    """Return the intersection over union of two collections, 0..1."""
    ours, theirs = set(ours), set(theirs)
    return len(ours & theirs) / len(ours | theirs)


def _distinctive(
    shapes: Mapping[str, tuple[int, ...]], classifier: Collection[str]
) -> set[tuple[str, tuple[int, ...]]]:
    """Return names with shapes, without tensors that are optional or depend on the classes."""
    return {
        (name, shape)
        for name, shape in shapes.items()
        if name not in classifier and not name.endswith("num_batches_tracked")
    }
