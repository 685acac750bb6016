"""The network that a run starts from."""

from pathlib import Path

import torch
from torch import nn

from seaformer.console import Console
from seaformer.errors import UsageError
from seaformer.models.entry import Network
from seaformer.models.loading import RANDOM
from seaformer.models.transfer import transfer_weights
from seaformer.tasks import Task


def first_network(
    network: Network,
    task: Task,
    weights: str | Path | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> nn.Module:
    """Build a network for training.

    What `weights` does not give is drawn as torch initialises it, from the seed: the random weights
    of `seaformer.weights.random_weights` are made to be computed with, not to learn from.

    The weights are given as for `create_model`, and may be of another task, see `transfer_weights`;
    None or "random" for nothing. What was loaded is printed on the console.

    Raises:
        UsageError: the task is no segmentation, the network is not for it, or a name is unknown.
        SeaformerError: the weights cannot be had or read, or are not for this network.
    """
    if not task.is_segmentation:
        raise UsageError(f"task {task.name} is {task.kind}. Allowed: a segmentation task.")
    require_trainable(network)
    torch.manual_seed(seed)
    model = network.build(task.kind, task.num_classes)
    if weights is None or weights == RANDOM:
        return model
    loaded = transfer_weights(model, network, task, weights)
    if console is not None:
        console.print(f"weights {loaded}")
    return model


def require_trainable(network: Network) -> None:
    """Refuse a network whose trained weights could not be loaded again.

    Raises:
        UsageError: it takes features, or is a user's own.
    """
    network.require_image("a training")
    if not network.builders:
        raise UsageError(
            f"model '{network.name}' cannot be trained: its factory makes one network with its own "
            "weights, and no other weights are loaded into it. Train a network of the registry, "
            "see seaformer-export --list."
        )
