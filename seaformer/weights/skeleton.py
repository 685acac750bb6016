"""The names and shapes of a network's tensors, found without their memory or their values."""

from collections.abc import Mapping

import torch
from torch import Tensor

from seaformer.models.seaformer.network import SeaFormer, SeaFormerClassifier
from seaformer.models.seaformer.variants import Variant

Shapes = dict[str, tuple[int, ...]]


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def network_shapes(variant: Variant, is_segmentation: bool, classes: int = 1) -> Shapes:
    """Return the shape of each tensor in the state_dict of a network that is not built."""
    network = SeaFormer if is_segmentation else SeaFormerClassifier
    with torch.device("meta"):
        return shapes_of(network(variant, classes).state_dict())
