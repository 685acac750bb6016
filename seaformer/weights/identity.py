"""Recognising whose weights a checkpoint holds, by the names and shapes of its tensors."""

from collections.abc import Iterator
from dataclasses import dataclass

from seaformer.models.ablation import ablation_of
from seaformer.models.seaformer.variants import VARIANTS, Variant
from seaformer.weights.checkpoint import Checkpoint, Naming
from seaformer.weights.key_map import official_names
from seaformer.weights.skeleton import Shapes, network_shapes, shapes_of

_CLASSIFIERS: dict[tuple[Naming, bool], str] = {
    ("official", True): "decode_head.conv_seg.",
    ("official", False): "linear.",
    ("seaformer", True): "light_head.classifier.",
    ("seaformer", False): "head.linear.",
}
"""The module whose shape depends on the number of classes, by naming and "is segmentation"."""

_SAME = 0.9
"""Share of equal tensors from which on a checkpoint counts as a network's. Not 1, so that a file
that lacks a tensor is known for what it is; two variants have less than a quarter in common."""

_RELATED = 0.5
"""Share of a network's names from which on a checkpoint counts as some sort of SeaFormer."""


@dataclass(frozen=True)
class Identity:
    """The network that a checkpoint holds the weights of."""

    variant: Variant
    is_segmentation: bool
    classes: int

    def __str__(self) -> str:
        """Name it in a sentence."""
        kind = "segmentation" if self.is_segmentation else "classification"
        name = self.variant.name.capitalize()
        changes = ", ".join(f"{name}={value}" for name, value in ablation_of(self.variant).items())
        ablation = f" (ablation {changes})" if changes else ""
        return f"SeaFormer-{name}{ablation} for {kind} with {self.classes} classes"


def identify(checkpoint: Checkpoint) -> Identity | None:
    """Return the network that nearly all tensors of `checkpoint` belong to, or None."""
    shapes = shapes_of(checkpoint.tensors)
    for variant, is_segmentation, expected in _networks(checkpoint.naming):
        classifier = _CLASSIFIERS[checkpoint.naming, is_segmentation]
        weight = shapes.get(f"{classifier}weight")
        if not weight:
            continue
        ours = _telling(expected, classifier)
        theirs = _telling(shapes, classifier)
        if len(ours & theirs) >= _SAME * len(ours | theirs):
            return Identity(variant, is_segmentation, classes=weight[0])
    return None


def _telling(shapes: Shapes, classifier: str) -> set[tuple[str, tuple[int, ...]]]:
    """Leave out what does not tell one network from another, or is not in every file."""
    return {
        (name, shape)
        for name, shape in shapes.items()
        if not name.startswith(classifier) and not name.endswith("num_batches_tracked")
    }


def is_seaformer(checkpoint: Checkpoint) -> bool:
    """Whether the names of the tensors are those of a SeaFormer, whatever their shapes."""
    return any(
        len(expected.keys() & checkpoint.tensors.keys()) >= _RELATED * len(expected)
        for _, _, expected in _networks(checkpoint.naming)
    )


def _networks(naming: Naming) -> Iterator[tuple[Variant, bool, Shapes]]:
    for variant in VARIANTS.values():
        for is_segmentation in (True, False):
            shapes = network_shapes(variant, is_segmentation)
            if naming == "official":
                names = official_names(shapes, variant)
                shapes = {names[key]: shape for key, shape in shapes.items()}
            yield variant, is_segmentation, shapes
