"""The initial network of a run."""

from pathlib import Path

import torch
from torch import nn

from seaformer.console import Console
from seaformer.errors import UsageError
from seaformer.models.entry import Network
from seaformer.models.loading import RANDOM
from seaformer.models.transfer import transfer_weights
from seaformer.tasks import Task
from seaformer.training.objective import OBJECTIVES


def initial_network(
    network: Network,
    task: Task,
    weights: str | Path | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> nn.Module:
    """Build a network for training.

    Layers without pretrained weights get torch's default initialization, with this seed. The random
    weights of `seaformer.weights.random_weights` are for inference, not for training.

    `weights` is as for `create_model`, for any task, see `transfer_weights`; None or "random" for
    no pretrained weights. What was loaded is printed on the console.

    Raises:
        UsageError: tasks of this kind are not trained here, the network is not for the task, or a
            name is unknown.
        SeaformerError: the weights cannot be downloaded or read, or do not fit the network.
    """
    if task.kind not in OBJECTIVES:
        raise UsageError(
            f"task {task.name} is {task.kind}. Allowed: a task for {' or '.join(OBJECTIVES)}."
        )
    require_trainable(network)
    network.check(task)
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
        UsageError: the network takes features, is the user's own, or of another library.
    """
    network.require_image("a training")
    if network.pretrained is not None:
        raise UsageError(
            f"model '{network.name}' cannot be trained here: train it with its own library, and "
            "export the checkpoint with seaformer-export --weights FILE. Or train a network of the "
            "registry, see seaformer-export --list."
        )
    if not network.builders:
        raise UsageError(
            f"model '{network.name}' cannot be trained: its factory returns a network with its own "
            "weights, and no other weights can be loaded into it. Train a network of the "
            "registry, see seaformer-export --list."
        )
