"""Models under test: pictures in, masks or guesses out, whatever the format of the file."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from seaformer.artifact.metadata import Interface
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
from seaformer.imaging.preprocessing import normalize
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.models.create import create_model
from seaformer.prediction import mask_from
from seaformer.runtimes import ImageSession, is_checkpoint, open_model
from seaformer.tasks import TASKS, Evaluation, Task
from seaformer.weights.checkpoint import Checkpoint, read_checkpoint
from seaformer.weights.identity import identify


@dataclass(frozen=True)
class Options:
    """How to open models.

    Attributes:
        protocol: name of the protocol.
        threads: threads for one run, 1 or more.
        variant: of checkpoints whose tensors do not tell it.
        input_size: height and width, for models that take any, in the deployed protocol; None for
            the model's own.
        short_side: instead of the task's own in the official protocol; the limit of the longer side
            grows with it.
    """

    protocol: str
    threads: int = 1
    variant: str | None = None
    input_size: Size | None = None
    short_side: int | None = None


class Candidate:
    """A model under test; `close` it in the end.

    Attributes:
        path: the file.
        sha256: of the file, in hexadecimal.
        interface: what the model takes and gives.
        protocol: how pictures enter it.
        note: what a user should know of it; may be empty.
    """

    def __init__(
        self, path: Path, interface: Interface, protocol: Protocol, network: "_Network", note: str
    ) -> None:
        with path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.path = path
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


def stated_task(path: Path) -> Task | None:
    """Return the task that a model file says it is for; None if it says none that we know.

    Raises:
        SeaformerError: the file cannot be read.
    """
    if is_checkpoint(path):
        return read_checkpoint(path).task
    with open_model(path) as session:
        task = None if session.metadata is None else session.metadata.task
    return None if task is None else TASKS.get(task)


def open_candidate(path: Path, task: Task, options: Options) -> Candidate:
    """Load a model to test on a data set of `task`.

    Raises:
        UsageError: the model is for other classes, or an option does not go with it.
        SeaformerError: the file cannot be read.
    """
    if is_checkpoint(path):
        return _open_checkpoint(path, task, options)
    return _open_export(path, task, options)


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
    return Candidate(path, interface, protocol, _Export(session), note)


def _open_checkpoint(path: Path, task: Task, options: Options) -> Candidate:
    checkpoint = read_checkpoint(path)
    own = checkpoint.task or task
    variant = options.variant or _variant(checkpoint)
    size = options.input_size or own.preprocessing.input_size
    interface = Interface.from_task(own, "NCHW", size, variant)
    note = _compare_classes(path, interface, task)
    protocol = _protocol(own, task.evaluation, options)
    torch.set_num_threads(options.threads)
    network = create_model(variant, own, path)
    return Candidate(path, interface, protocol, _Checkpoint(network), note)


def _variant(checkpoint: Checkpoint) -> str:
    identity = identify(checkpoint)
    if identity is None:
        raise UsageError(
            f"the tensors of '{checkpoint.path}' are those of no variant. Give --variant to see "
            "what differs."
        )
    return identity.variant.name


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
