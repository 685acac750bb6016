"""Weights that were trained for one task as the first weights for another."""

from pathlib import Path

from torch import nn

from seaformer.models.entry import Network
from seaformer.models.identity import Identity, classifier_keys, identify, names_in
from seaformer.models.loading import WeightsFile, find_weights, matching_tensors
from seaformer.tasks import Task, get_task
from seaformer.weights.checkpoint import Checkpoint, read_checkpoint


def transfer_weights(model: nn.Module, network: Network, task: Task, weights: str | Path) -> str:
    """Load into `model`, built for `task`, what weights trained for any task have of it.

    That is everything if they are for the same classes in the same order, as far as they say so;
    otherwise everything but the classifier; and of a network for another kind of task the
    backbone. What is not loaded stays as it is. `weights` are given as for
    `seaformer.models.loading.load_weights`, and names need not be of this task.

    Returns:
        What was loaded, in words.

    Raises:
        UsageError: a name is unknown.
        SeaformerError: the weights cannot be had or read, or are not for this network. The model is
            left as it was.
    """
    file = find_weights(weights, network)
    checkpoint = read_checkpoint(file.path)
    note = f" {checkpoint.note}" if checkpoint.note else ""
    found = identify(checkpoint)
    is_other_kind = found is not None and found.kind != task.kind
    is_backbone = file.is_backbone or is_other_kind
    # Another network is refused, whatever its classes.
    classes = task.num_classes if found is None or is_other_kind else found.classes
    asked = Identity(network, task.kind, classes)
    classifier = classifier_keys(network, task.kind)
    why_not = "" if is_backbone else _difference(file, checkpoint, classifier, network, task)
    state, _ = matching_tensors(
        checkpoint, model, asked, is_backbone=is_backbone, without=classifier if why_not else ()
    )
    model.load_state_dict(model.state_dict() | state)
    if is_backbone:
        return f"{file.name}: the backbone is loaded, all that follows it is random.{note}"
    if not why_not:
        return f"{file.name}: everything is loaded, the classifier too.{note}"
    layers = ", ".join(dict.fromkeys(key.rpartition(".")[0] for key in classifier))
    return (
        f"{file.name}: everything is loaded but the classifier ({layers}), which is random, as "
        f"{why_not}.{note}"
    )


def _difference(
    file: WeightsFile,
    checkpoint: Checkpoint,
    classifier: list[str],
    network: Network,
    task: Task,
) -> str:
    """Say how the classes of a checkpoint differ from those of the task; "" if they do not."""
    names = names_in(network, classifier, checkpoint.tensors)
    tensor = checkpoint.tensors.get(names[classifier[0]])
    if tensor is None:
        return "it has none"
    if len(tensor) != task.num_classes:
        return f"it has {len(tensor)} classes and task {task.name} has {task.num_classes}"
    labels = checkpoint.class_names
    if labels is None and file.task is not None:
        labels = get_task(file.task).labels
    if labels is not None and _folded(labels) != _folded(task.labels):
        return f"its classes are not those of task {task.name}"
    return ""


def _folded(labels: tuple[str, ...]) -> list[str]:
    return [label.strip().lower() for label in labels]
