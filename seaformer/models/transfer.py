"""Transfer of weights trained for one task to another task."""

from pathlib import Path

from torch import nn

from seaformer.models.entry import Network
from seaformer.models.identity import Identity, classes_of, classifier_keys, identify, names_in
from seaformer.models.loading import WeightsFile, find_weights, matching_tensors
from seaformer.tasks import Task, get_task
from seaformer.weights.checkpoint import Checkpoint, read_checkpoint


def transfer_weights(model: nn.Module, network: Network, task: Task, weights: str | Path) -> str:
    """Load into `model`, built for `task`, all tensors that fit from weights for any task.

    All tensors are loaded if the classes are the same, as far as the weights record them; otherwise
    all but the classifier. From weights for another kind of task, only the backbone is loaded.
    Other tensors of `model` are unchanged. `weights` is as for
    `seaformer.models.loading.load_weights`, for any task.

    Returns:
        A sentence that describes what was loaded.

    Raises:
        UsageError: a name is unknown.
        SeaformerError: the weights cannot be downloaded or read, or do not fit the network. The
            model is unchanged.
    """
    file = find_weights(weights, network)
    checkpoint = read_checkpoint(file.path)
    note = f" {checkpoint.note}" if checkpoint.note else ""
    found = identify(checkpoint)
    is_other_kind = found is not None and found.kind != task.kind
    is_backbone = file.is_backbone or is_other_kind
    # Weights of another network are refused, whatever their classes.
    classes = task.num_classes if found is None or is_other_kind else found.classes
    expected = Identity(network, task.kind, classes)
    classifier = classifier_keys(network, task.kind)
    why_not = "" if is_backbone else difference_of_classes(file, checkpoint, network, task)
    state, _ = matching_tensors(
        checkpoint, model, expected, is_backbone=is_backbone, without=classifier if why_not else ()
    )
    model.load_state_dict(model.state_dict() | state)
    if is_backbone:
        return f"{file.name}: only the backbone is loaded, all other layers are random.{note}"
    if not why_not:
        return f"{file.name}: everything is loaded, including the classifier.{note}"
    layers = ", ".join(dict.fromkeys(key.rpartition(".")[0] for key in classifier))
    return (
        f"{file.name}: everything is loaded except the classifier ({layers}), which is random "
        f"because {why_not}.{note}"
    )


def difference_of_classes(
    file: WeightsFile, checkpoint: Checkpoint, network: Network, task: Task
) -> str:
    """Describe how the classes of a checkpoint differ from the task's; "" if equal.

    `checkpoint` is the content of `file` and has weights of `network`.
    """
    classifier = classifier_keys(network, task.kind)
    names = names_in(network, classifier, checkpoint.tensors)
    tensor = checkpoint.tensors.get(names[classifier[0]])
    if tensor is None:
        return "the file has no classifier"
    classes = classes_of(network, task.kind, tuple(tensor.shape))
    if classes != task.num_classes:
        return f"the file has {classes} classes and task {task.name} has {task.num_classes}"
    labels = checkpoint.class_names
    if labels is None and file.task is not None:
        labels = get_task(file.task).labels
    if labels is not None and _folded(labels) != _folded(task.labels):
        return f"the classes of the file differ from task {task.name}"
    return ""


def _folded(labels: tuple[str, ...]) -> list[str]:
    return [label.strip().lower() for label in labels]
