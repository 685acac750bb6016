"""Creating a network with its weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from seaformer.models.entry import Network
from seaformer.models.loading import PRETRAINED, WeightsRecord, load_weights
from seaformer.models.resolve import as_network, with_ablation
from seaformer.models.seaformer.variants import Variant
from seaformer.tasks import Task, get_task
from seaformer.weights.checkpoint import described_by


def create_model(
    name: str | Variant | Network,
    task: str | Task | None = None,
    weights: str | Path | None = None,
    ablation: Mapping[str, str] | None = None,
) -> nn.Module:
    """Create a model that is ready to run.

    Args:
        name: name of a network in `seaformer.models.registry`, such as "topformer-tiny" or
            "seaformer-tiny" (short: "tiny"), a variant, or a row of the registry.
        task: name of a task, see `seaformer.tasks`, or your own task; None for the task recorded in
            the weights, as by seaformer-train; if they record none, ade20k, or coco for detection.
        weights: name of released weights, path of a checkpoint, "backbone:PATH", or None for seeded
            random weights, which are good for measuring latency but not for prediction.
        ablation: switch -> value of the paper's ablation studies, see `seaformer.models.ablation`.

    Returns:
        The network in eval mode, float32, with frozen parameters (`requires_grad_(True)` to train
        it). It takes normalized RGB [N, 3, H, W] and returns logits [N, classes, ceil(H / s),
        ceil(W / s)], where s is the stride of the network (8 for SeaFormer), or [N, classes] for a
        classification task; for detection see `seaformer.models.retinanet`. An attention layer
        takes and returns features.

    Raises:
        UsageError: a name is unknown.
        SeaformerError: the weights cannot be downloaded or read, or do not fit network and task.
    """
    network = with_ablation(as_network(name), ablation or {})
    if task is None:
        task = described_by(weights)[1] or network.usual_task
    return create(network, get_task(task) if isinstance(task, str) else task, weights)[0]


def create(
    network: Network, task: Task, weights: str | Path | None = None
) -> tuple[nn.Module, WeightsRecord]:
    """Create a network like `create_model`; also return where its weights come from."""
    network.check(task, weights)
    is_pretrained = network.pretrained is not None and weights == PRETRAINED
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        if network.pretrained is not None and is_pretrained:
            model = network.pretrained().eval().float()
        else:
            model = network.build(task.kind, task.num_classes).eval().float()
    if is_pretrained:
        record = WeightsRecord(PRETRAINED, network.name, weights_hash(model), False, None, "")
    elif network.has_own_weights:
        record = WeightsRecord("factory", network.name, weights_hash(model), False, None, "")
    else:
        record = load_weights(model, network, task, weights)
    return model.requires_grad_(False), record


def weights_hash(model: nn.Module) -> str:
    """Return the SHA-256 over the names and values of all tensors of a network, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
