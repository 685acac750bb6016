"""The teacher of a distillation: a frozen network from a run or a weights file."""

from pathlib import Path

import torch
from torch import Tensor, nn

from seaformer.errors import UsageError
from seaformer.models.create import create
from seaformer.models.entry import Network
from seaformer.models.identity import classifier_keys, identified, identify
from seaformer.models.loading import RANDOM, find_weights
from seaformer.models.misfit import BACKBONE
from seaformer.models.resolve import resolve
from seaformer.models.transfer import difference_of_classes
from seaformer.tasks import Task
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.checkpoint import read_checkpoint
from seaformer.weights.released import RELEASED

BEST = "best.safetensors"
"""The file of a run that is its result."""


class Teacher:
    """A trained network that does not change. It is not a module: nothing trains or saves it.

    Attributes:
        network: the network, in eval mode, without gradients.
        title: display title of the network.
        sha256: SHA-256 of its weights file, in hexadecimal.
        channels: number of channels of its features.
    """

    def __init__(self, network: nn.Module, classifier: str, title: str, sha256: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.title = title
        self.sha256 = sha256
        self._name = classifier
        self._classifier = network.get_submodule(classifier)
        self.channels: int = self._classifier.in_channels  # type: ignore[assignment]

    @torch.no_grad()
    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run it on normalized images, float32 [N, 3, H, W], see `features_and_logits`."""
        return features_and_logits(self.network, self._name, images)

    def classify(self, features: Tensor) -> Tensor:
        """Compute its logits, [N, classes, h, w], for features, [N, channels, h, w]."""
        logits: Tensor = self._classifier(features)
        return logits


def features_and_logits(
    network: nn.Module, classifier: str, images: Tensor
) -> tuple[Tensor, Tensor]:
    """Run a network and return the input of its classifier as well as its output.

    Args:
        network: the network.
        classifier: name of the layer that computes the logits from the features.
        images: normalized images, float32 [N, 3, H, W].

    Returns:
        The features, [N, channels, h, w], and the logits, [N, classes, h, w].
    """
    seen: list[Tensor] = []
    layer = network.get_submodule(classifier)
    handle = layer.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    try:
        logits = network(images)
    finally:
        handle.remove()
    return seen[0], logits


def classifier_layer(network: Network, kind: str) -> str:
    """Return the name of the layer that computes the logits.

    Raises:
        UsageError: there are several such layers.
    """
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in classifier_keys(network, kind)))
    if len(layers) != 1:
        raise UsageError(
            f"'{network.name}' has several layers that compute logits ({', '.join(layers)}). "
            "Distillation needs networks with one, such as a SeaFormer."
        )
    return layers[0]


def load_teacher(teacher: str, network: Network, task: Task, device: torch.device) -> Teacher:
    """Load the teacher of a student.

    Args:
        teacher: folder of a run, path of a weights file, name of built-in weights, or name of
            released weights of `network`. A file is data: the network is looked up in the registry
            by its name in the file or by its tensors.
        network: the student's row in the registry.
        task: the student's task.
        device: where the teacher runs.

    Raises:
        UsageError: there is no such teacher, or it was trained for other classes.
        SeaformerError: the weights cannot be downloaded or read.
    """
    builtin = [resolve(row.network) for row in BUILTIN if row.name == teacher]
    file = find_weights(_weights_of(teacher), *(builtin or [network]))
    checkpoint = read_checkpoint(file.path)
    own = identified(checkpoint)
    found = identify(checkpoint)
    why = ""
    if found is not None and found.kind != task.kind:
        why = f"the file is for {found.kind} and task {task.name} is {task.kind}"
    else:
        own.check(task)
        why = difference_of_classes(file, checkpoint, own, task)
    if why:
        raise UsageError(
            f"--teacher is {teacher}, but {why}. Give a teacher that was trained for the classes "
            "of the data."
        )
    model, record = create(own, task, file.path)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert record.sha256 is not None  # it was read from a file
    return Teacher(model, classifier_layer(own, task.kind), own.long_title, record.sha256)


def _weights_of(teacher: str) -> str | Path:
    """Return the weights of a run, a file or a name.

    Raises:
        UsageError: the folder does not contain a run, or the weights are not for a whole network.
    """
    if teacher == RANDOM or teacher.startswith(BACKBONE):
        raise UsageError(
            f"--teacher is {teacher}, which has no trained head. Give the folder of a run, a "
            "weights file, or the name of weights of a whole network."
        )
    folder = Path(teacher).expanduser()
    # A folder with the name of weights is given as ./shapes.
    names = {row.name for row in BUILTIN} | {row.name for row in RELEASED}
    if teacher in names or not folder.is_dir():
        return teacher
    if not (folder / BEST).is_file():
        raise UsageError(
            f"--teacher is '{teacher}', a folder without {BEST}. Give the folder of a run of "
            "seaformer-train, or a weights file."
        )
    return folder / BEST
