"""The network that a run starts from."""

from pathlib import Path

import torch

from seaformer.errors import UsageError
from seaformer.models.create import build_network, create_model_with_record
from seaformer.models.seaformer.network import SeaFormer
from seaformer.models.seaformer.variants import Variant
from seaformer.tasks import Task
from seaformer.weights.loading import RANDOM


def first_network(
    variant: Variant, task: Task, weights: str | Path | None = None, seed: int = 0
) -> SeaFormer:
    """Build a network for training.

    What `weights` does not give is drawn as torch initialises it, from the seed: the random weights
    of `seaformer.weights.random_weights` are made to be computed with, not to learn from.

    Args:
        variant: of the network.
        task: a segmentation task.
        weights: as for `create_model`: the name of weights, the path of a checkpoint, or for the
            backbone alone "imagenet-backbone" or "backbone:PATH"; None or "random" for nothing.
        seed: of what is drawn.

    Raises:
        UsageError: the task is no segmentation, or a name is unknown.
        SeaformerError: the weights cannot be had or read, or are not for this network.
    """
    torch.manual_seed(seed)
    network = build_network(variant, task)
    if not isinstance(network, SeaFormer):
        raise UsageError(f"task {task.name} is {task.kind}. Allowed: a segmentation task.")
    if weights is None or weights == RANDOM:
        return network
    loaded, record = create_model_with_record(variant, task, weights)
    if record.is_random:  # All but the backbone.
        network.stem.load_state_dict(loaded.stem.state_dict())
        network.context_branch.load_state_dict(loaded.context_branch.state_dict())
    else:
        network.load_state_dict(loaded.state_dict())
    return network
