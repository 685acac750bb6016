"""Models under test: pictures in, masks or guesses out, whatever the format of the file."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from seaformer.artifact.metadata import Interface, Weights
from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.metrics import top_classes
from seaformer.evaluation.protocols import (
    OFFICIAL,
    Deployed,
    OfficialClassification,
    OfficialSegmentation,
    Protocol,
    Size,
    two_step_mask,
)
from seaformer.files import file_sha256
from seaformer.imaging.prediction import mask_from
from seaformer.imaging.preprocessing import normalize
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.models.create import create, weights_hash
from seaformer.models.entry import Network
from seaformer.models.identity import identified
from seaformer.network_names import members
from seaformer.runtimes import RUNTIMES, ImageSession, Runtime, find_runtime, open_model
from seaformer.runtimes import is_checkpoint as is_checkpoint_file
from seaformer.tasks import TASKS, Evaluation, Task
from seaformer.weights.checkpoint import read_checkpoint
from seaformer.weights.self_description import described_by


@dataclass(frozen=True)
class Options:
    """How to open models.

    Attributes:
        protocol: name of the protocol.
        threads: threads for one run, 1 or more.
        network: of checkpoints; None to recognise it by what they say and by their tensors.
        weights: of models that are given by the name of a network, as to --weights.
        input_size: height and width, for models that take any, in the deployed protocol; None for
            the model's own.
        short_side: instead of the task's own in the official protocol; the limit of the longer side
            grows with it.
    """

    protocol: str
    threads: int = 1
    network: Network | None = None
    weights: str | None = None
    input_size: Size | None = None
    short_side: int | None = None


class Candidate:
    """A model under test; `close` it in the end.

    Attributes:
        path: the file, or the name of the network.
        sha256: of the file or else of the weights, in hexadecimal.
        runtime: what runs it.
        interface: what the model takes and gives.
        protocol: how pictures enter it.
        note: what a user should know of it; may be empty.
    """

    def __init__(
        self,
        path: Path,
        sha256: str,
        runtime: Runtime,
        interface: Interface,
        protocol: Protocol,
        network: "_Network",
        note: str,
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self.runtime = runtime
        self.interface = interface
        self.protocol = protocol
        self.note = note
        self._network = network

    def prepare(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [H, W, 3], RGB, into the network's input, float32 [h, w, 3].

        Raises:
            SeaformerError: the scaled picture would not fit the memory.
        """
        x = self.protocol.prepare(picture)
        if self.interface.normalizes_inside:
            return x
        return normalize(x, self.interface.preprocessing)

    def masks(
        self, inputs: npt.NDArray[np.float32], pictures: Sequence[Size]
    ) -> list[npt.NDArray[np.integer]]:
        """Segment pictures.

        Args:
            inputs: float32 [N, h, w, 3], as `prepare` returns them.
            pictures: height and width of each of the N pictures.

        Returns:
            The class of each pixel, [H, W], for each picture.

        Raises:
            UsageError: the output does not fit the interface.
            SeaformerError: the model fails, or gives values that are not finite.
        """
        outputs = self._run(inputs)
        if not self.interface.gives_logits:
            return [
                mask_from(output[None], self.interface, size)
                for output, size in zip(outputs, pictures, strict=True)
            ]
        layout = self.interface.logits_layout(outputs.shape)
        if layout is None:
            raise self._misfit(outputs, f"[1, {len(self.interface.labels)}, height, width]")
        planes = outputs.transpose(0, 3, 1, 2) if layout == "HWC" else outputs
        if self.protocol.name != OFFICIAL:
            return [
                upsample_argmax(logits, size) for logits, size in zip(planes, pictures, strict=True)
            ]
        height, width = inputs.shape[1:3]
        return [
            two_step_mask(logits, (height, width), size)
            for logits, size in zip(planes, pictures, strict=True)
        ]

    def guesses(self, inputs: npt.NDArray[np.float32]) -> list[list[int]]:
        """Classify pictures.

        Args:
            inputs: float32 [N, h, w, 3], as `prepare` returns them.

        Returns:
            The most probable classes of each picture, best first, as `top_classes` returns them.

        Raises:
            UsageError: the output does not fit the interface.
            SeaformerError: the model fails, or gives values that are not finite.
        """
        classes = len(self.interface.labels)
        outputs = self._run(inputs)
        if outputs.shape != (len(inputs), classes):
            raise self._misfit(outputs, f"[1, {classes}]")
        return [top_classes(logits) for logits in outputs]

    def close(self) -> None:
        """Free the model's memory."""
        self._network.close()

    def _run(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        outputs = self._network.run(inputs)
        if not np.isfinite(outputs).all():
            raise SeaformerError(
                f"'{self.path}' gives values that are not finite. Its weights are damaged, or its "
                "precision is too low for them: evaluate it in fp32."
            )
        return outputs

    def _misfit(self, outputs: npt.NDArray[Any], allowed: str) -> UsageError:
        return UsageError(
            f"'{self.path}' gives an output of shape {list(outputs.shape)}. Allowed: {allowed}, "
            f"the logits of {len(self.interface.labels)} classes. Is it a model of another task?"
        )


def is_checkpoint(model: Path | Network) -> bool:
    """Whether a model is a network of ours, which takes any size, and batches.

    Raises:
        UsageError: it is no model file by its suffix.
    """
    return isinstance(model, Network) or is_checkpoint_file(model)


def stated_task(model: Path | Network, weights: str | None) -> Task | None:
    """Return the task that a model says it is for; None if it says none that we know.

    Args:
        model: a file, or a network by its name.
        weights: of the network.

    Raises:
        SeaformerError: the file cannot be read.
    """
    if isinstance(model, Network):
        return described_by(weights)[1]
    if is_checkpoint(model):
        return read_checkpoint(model).task
    with open_model(model) as session:
        task = None if session.metadata is None else session.metadata.task
    return None if task is None else TASKS.get(task)


def open_candidate(model: Path | Network, task: Task, options: Options) -> Candidate:
    """Load a model to test on a data set of `task`.

    Raises:
        UsageError: the model is for other classes, or an option does not go with it.
        SeaformerError: the file cannot be read.
    """
    if isinstance(model, Network):
        own = described_by(options.weights)[1] or task
        return _open_network(Path(model.name), model, own, options.weights, task, options)
    if not is_checkpoint(model):
        return _open_export(model, task, options)
    checkpoint = read_checkpoint(model)
    network = options.network or identified(checkpoint)
    return _open_network(model, network, checkpoint.task or task, model, task, options)


class _Network(ABC):
    """What computes the logits."""

    @abstractmethod
    def run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Turn float32 [N, h, w, 3] into the outputs of all N, in the model's own layout."""

    @abstractmethod
    def close(self) -> None: ...


class _Export(_Network):
    """An exported file, which takes one picture a run."""

    def __init__(self, session: ImageSession) -> None:
        self._session = session

    def run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        if self._session.layout == "NCHW":
            x = x.transpose(0, 3, 1, 2)
        one_by_one = (self._session.run(np.ascontiguousarray(one[None])) for one in x)
        return np.concatenate(list(one_by_one))

    def close(self) -> None:
        self._session.close()


class _Checkpoint(_Network):
    """A network in PyTorch."""

    def __init__(self, network: nn.Module) -> None:
        self._network: nn.Module | None = network

    def run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        if self._network is None:
            raise SeaformerError("the model is closed. Open it again.")
        with torch.inference_mode():
            planes = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
            output: npt.NDArray[Any] = self._network(planes).numpy()
        return output

    def close(self) -> None:
        self._network = None


def _open_export(path: Path, task: Task, options: Options) -> Candidate:
    if options.protocol == OFFICIAL:
        raise UsageError(
            f"'{path}' takes pictures of one size, and the official protocol gives them many. "
            "Leave --protocol out, or evaluate the checkpoint that the file was exported from."
        )
    known = task.name if task.name in TASKS else None
    session = open_model(path, options.threads, task=known, input_size=options.input_size)
    interface = session.metadata or Interface.from_task(task, session.layout, session.input_shape)
    interface.require_image()
    note = _compare_classes(path, interface, task)
    preprocessing = interface.preprocessing
    if task.is_segmentation and preprocessing.resize != "stretch":
        raise UsageError(
            f"'{path}' sees only the middle of a picture (resize {preprocessing.resize}), so its "
            "mIoU over whole pictures cannot be measured."
        )
    protocol = Deployed(preprocessing, session.input_shape)
    sha256, runtime = file_sha256(path), find_runtime(path)
    return Candidate(path, sha256, runtime, interface, protocol, _Export(session), note)


def _open_network(
    path: Path,
    network: Network,
    own: Task,
    weights: str | Path | None,
    task: Task,
    options: Options,
) -> Candidate:
    """Create a network for its own task, and test it on a data set of another with its classes."""
    network.require_image("an evaluation")
    size = options.input_size or own.preprocessing.input_size
    interface = Interface.from_task(own, "NCHW", size, weights=None, **members(network.name))
    note = _compare_classes(path, interface, task)
    protocol = _protocol(own, task.evaluation, options)
    torch.set_num_threads(options.threads)
    model, record = create(network, own, weights)
    stored = Weights.model_validate(record, from_attributes=True)
    return Candidate(
        path,
        record.sha256 or weights_hash(model),
        RUNTIMES[".pth"],
        interface.model_copy(update={"weights": stored}),
        protocol,
        _Checkpoint(model),
        note,
    )


def _protocol(own: Task, evaluation: Evaluation | None, options: Options) -> Protocol:
    """Make the protocol from the preprocessing that the network was trained with."""
    if options.protocol != OFFICIAL:
        size = options.input_size or own.preprocessing.input_size
        return Deployed(own.preprocessing, size)
    if evaluation is None:
        raise UsageError(
            f"task {own.name} has no official protocol. Leave --protocol out, or add 'evaluation' "
            "to the task."
        )
    if options.short_side is not None:
        limit = evaluation.long_side_max
        evaluation = replace(
            evaluation,
            short_side=options.short_side,
            long_side_max=limit and limit * options.short_side // evaluation.short_side,
        )
    official = OfficialSegmentation if own.is_segmentation else OfficialClassification
    return official(own.preprocessing, evaluation)


def _compare_classes(path: Path, interface: Interface, task: Task) -> str:
    """Refuse a model of other classes; of other names for them only a note is made."""
    if (interface.kind, len(interface.labels)) != (task.kind, task.num_classes):
        raise UsageError(
            f"'{path}' is for {interface.kind} with {len(interface.labels)} classes, but the data "
            f"set, task {task.name}, for {task.kind} with {task.num_classes}. Give the --task and "
            "the --data that the model was trained for."
        )
    pairs = enumerate(zip(interface.labels, task.labels, strict=True))
    differing = [
        (index, ours, theirs)
        for index, (ours, theirs) in pairs
        if ours.strip().lower() != theirs.strip().lower()
    ]
    if not differing:
        return ""
    index, ours, theirs = differing[0]
    return (
        f"{len(differing)} of the class names of '{path}' are not those of the data set, the first "
        f"is class {index}: '{ours}', in the data set '{theirs}'. If the order differs too, the "
        "scores mean nothing."
    )
