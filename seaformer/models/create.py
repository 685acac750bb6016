"""Building a network for a variant and a task."""

from collections.abc import Mapping
from pathlib import Path

import torch

from seaformer.models.ablation import ablated
from seaformer.models.seaformer.network import SeaFormer, SeaFormerClassifier
from seaformer.models.seaformer.variants import Variant, get_variant
from seaformer.tasks import Task, get_task
from seaformer.weights.loading import WeightsRecord, load_weights


def build_network(variant: Variant, task: Task) -> SeaFormer | SeaFormerClassifier:
    """Build the network with the weights that torch gives it, in training mode."""
    network = SeaFormer if task.is_segmentation else SeaFormerClassifier
    return network(variant, task.num_classes)


def create_model(
    variant: str | Variant,
    task: str | Task = "ade20k",
    weights: str | Path | None = None,
    ablation: Mapping[str, str] | None = None,
) -> SeaFormer | SeaFormerClassifier:
    """Create a model that is ready to run.

    Args:
        variant: "tiny", "small", "base" or "large".
        task: name of a task, see `seaformer.tasks`, or a task of your own.
        weights: name of released weights, path of a checkpoint, "backbone:PATH", or None for seeded
            random weights: fit to measure latency, not to predict.
        ablation: switch -> value of the paper's ablation studies, see `seaformer.models.ablation`.

    Returns:
        The network in eval mode, float32, its parameters frozen (`requires_grad_(True)` to train
        it). It takes [N, 3, H, W], normalised RGB, and returns logits [N, classes, ceil(H / 8),
        ceil(W / 8)], or [N, classes] for a classification task.

    Raises:
        UsageError: a name is unknown.
        SeaformerError: the weights cannot be had, read, or are not for this variant and task.
    """
    return create_model_with_record(variant, task, weights, ablation)[0]


def create_model_with_record(
    variant: str | Variant,
    task: str | Task,
    weights: str | Path | None,
    ablation: Mapping[str, str] | None = None,
) -> tuple[SeaFormer | SeaFormerClassifier, WeightsRecord]:
    """Create a model as `create_model` does, and say where its weights came from."""
    variant = get_variant(variant) if isinstance(variant, str) else variant
    variant = ablated(variant, ablation or {})
    task = get_task(task) if isinstance(task, str) else task
    with torch.device("cpu"):
        model = build_network(variant, task).eval()
    record = load_weights(model, variant, task, weights)
    return model.requires_grad_(False), record
