"""Networks with initial weights, and their tensors under the names of the official code."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from seaformer.errors import SeaformerError
from seaformer.models.entry import Network
from seaformer.models.resolve import as_network
from seaformer.models.seaformer.network import SeaFormer, SeaFormerClassifier
from seaformer.models.seaformer.official_names import official_names
from seaformer.models.seaformer.variants import Variant
from seaformer.tasks import Task
from seaformer.weights.checkpoint import listed
from seaformer.weights.tensor_names import Shapes, shapes_of


def build_network(name: str | Variant | Network, task: Task) -> nn.Module:
    """Build a network with torch's initial weights, in training mode."""
    return as_network(name).build(task.kind, task.num_classes)


def to_official(state_dict: Mapping[str, Tensor], variant: Variant) -> dict[str, Tensor]:
    """Rename the tensors of a network's complete state_dict to the names of the official code."""
    names = official_names(state_dict, variant)
    return {names[key]: tensor for key, tensor in state_dict.items()}


def from_official(state_dict: Mapping[str, Tensor], variant: Variant) -> dict[str, Tensor]:
    """Rename the tensors of an official state_dict to the names of `seaformer.models.seaformer`.

    Raises:
        SeaformerError: a name does not exist in the variant.
    """
    is_segmentation = any(name.startswith("backbone.") for name in state_dict)
    names = official_names(network_shapes(variant, is_segmentation), variant)
    ours = {official: key for key, official in names.items()}
    unknown = [name for name in state_dict if name not in ours]
    if unknown:
        raise SeaformerError(
            f"{listed(unknown, 'tensor')} missing from the official SeaFormer-"
            f"{variant.name.capitalize()}. Give its whole, unchanged state_dict."
        )
    return {ours[name]: tensor for name, tensor in state_dict.items()}


def network_shapes(variant: Variant, is_segmentation: bool, classes: int = 1) -> Shapes:
    """Return the shapes of the tensors in a network's state_dict without building it."""
    network = SeaFormer if is_segmentation else SeaFormerClassifier
    with torch.device("meta"):
        return shapes_of(network(variant, classes).state_dict())
