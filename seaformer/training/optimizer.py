"""AdamW's parameter groups, the learning rate schedule and regularization of a recipe."""

from typing import Any

from torch import nn
from torch.optim import AdamW

from seaformer.models.attention.channels_first import ChannelNorm
from seaformer.models.seaformer.attention import SqueezeAxialPositionEmbedding
from seaformer.models.seaformer.context_branch import DROP_PATH
from seaformer.models.seaformer.layer import DropPath
from seaformer.quantization.rounding import Range
from seaformer.training.recipe import Recipe

_UNDECAYED = (SqueezeAxialPositionEmbedding, ChannelNorm, nn.modules.batchnorm._BatchNorm, Range)


def parameter_groups(
    model: nn.Module, recipe: Recipe, backbone: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Sort the parameters of a network into the groups of the recipe.

    `backbone` are the name prefixes of all parameters outside the head. As in the official code,
    the fusion blocks of a SeaFormer belong to the head.

    Returns:
        Four groups for `torch.optim`, with "name" ("backbone", "backbone, no decay", "head", "head,
        no decay"), "params", "weight_decay", "lr", and "highest_lr", which the schedule scales.
    """
    undecayed = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, _UNDECAYED)
        for parameter in module.parameters(recurse=False)
    }
    groups = []
    for section, factor in (("backbone", 1.0), ("head", recipe.head_factor)):
        is_backbone = section == "backbone"
        members = [p for n, p in model.named_parameters() if n.startswith(backbone) == is_backbone]
        rate = factor * recipe.learning_rate
        for name, decays in ((section, True), (f"{section}, no decay", False)):
            parameters = [p for p in members if (id(p) not in undecayed) == decays]
            groups.append(
                {
                    "name": name,
                    "params": parameters,
                    "weight_decay": recipe.weight_decay if decays else 0.0,
                    "lr": rate,
                    "highest_lr": rate,
                }
            )
    return groups


def build_optimizer(model: nn.Module, recipe: Recipe, backbone: tuple[str, ...]) -> AdamW:
    """Return AdamW for the groups of the recipe, see `parameter_groups`."""
    return AdamW(parameter_groups(model, recipe, backbone), betas=recipe.betas)


def rate_factor(step: int, recipe: Recipe) -> float:
    """Return the factor, 0..1, of the peak learning rate in step 0..iterations - 1.

    Polynomial decay with linear warm-up, as mmcv 1.7 computes it: mmcv/runner/hooks/lr_updater.py,
    PolyLrUpdaterHook with warmup="linear".
    """
    decay = float((1 - step / recipe.iterations) ** recipe.power)
    if step >= recipe.warmup:
        return decay
    return decay * (1 - (1 - step / recipe.warmup) * (1 - recipe.warmup_ratio))


def regularize(model: nn.Module, recipe: Recipe) -> None:
    """Set the recipe's dropout and drop path; the drop path probability still grows with depth."""
    for module in model.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = recipe.dropout
        elif isinstance(module, DropPath):
            module.probability *= recipe.drop_path / DROP_PATH
