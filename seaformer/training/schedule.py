"""The learning rate over time: polynomial decay with linear warm-up, as mmcv computes it.

Source: mmcv 1.7, mmcv/runner/hooks/lr_updater.py, PolyLrUpdaterHook with warmup="linear".
"""

from seaformer.training.recipe import Recipe


def rate_factor(step: int, recipe: Recipe) -> float:
    """Return what the highest learning rate is multiplied by, 0..1.

    Args:
        step: steps done before, 0..iterations - 1.
        recipe: `iterations`, `power`, `warmup` and `warmup_ratio` are read.
    """
    decay = float((1 - step / recipe.iterations) ** recipe.power)
    if step >= recipe.warmup:
        return decay
    return decay * (1 - (1 - step / recipe.warmup) * (1 - recipe.warmup_ratio))
