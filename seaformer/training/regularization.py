"""Setting what of a network acts in training only."""

from torch import nn

from seaformer.models.seaformer.context_branch import DROP_PATH
from seaformer.models.seaformer.layer import DropPath
from seaformer.training.recipe import Recipe


def regularize(model: nn.Module, recipe: Recipe) -> None:
    """Give the network the recipe's dropout and drop path, which still grows with depth."""
    for module in model.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = recipe.dropout
        elif isinstance(module, DropPath):
            module.probability *= recipe.drop_path / DROP_PATH
