"""Models under test: from images to masks, top classes or boxes, for every file format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.artifact.accelerators import CPU, needs_export
from seaformer.artifact.metadata import Interface
from seaformer.datasets import own_task
from seaformer.detection.decoding import decode
from seaformer.detection.detections import Detections
from seaformer.errors import SeaformerError, UsageError, unknown_name
from seaformer.evaluation.metrics import top_classes
from seaformer.evaluation.protocols import (
    DEPLOYED,
    OFFICIAL,
    PROTOCOLS,
    Protocol,
    Size,
    deployed,
    official_classification,
    official_segmentation,
    two_step_mask,
)
from seaformer.files import file_sha256
from seaformer.imaging.prediction import decided_class, mask_from
from seaformer.imaging.preprocessing import normalize
from seaformer.models.entry import Network
from seaformer.runtimes import (
    RUNTIMES,
    ImageSession,
    Runtime,
    Session,
    find_runtime,
    open_model,
    take_images,
)
from seaformer.runtimes import is_checkpoint as is_checkpoint_file
from seaformer.runtimes.stated_interface import stated_interface
from seaformer.tasks import DEFAULT_TASK, TASKS, Evaluation, Task, get_task
from seaformer.tasks.statement import NOTHING, Statement


@dataclass(frozen=True)
class Options:
    """How to open models.

    Attributes:
        protocol: name of the protocol.
        threads: threads per run, 1 or more.
        network: network of the checkpoints; None to detect it from their metadata and tensors.
        weights: value of --weights, for models that are given by the name of a network.
        input_size: height and width for models with a flexible input size, in the deployed
            protocol; None for the model's own.
        short_side: replaces the task's short side in the official protocol; the limit of the long
            side scales with it.
        accelerator: where exported files are computed, one of `seaformer.runtimes.PROCESSORS`.
        chip: chip of the NPU; None for the chip that a compiled file is for.
        open_elsewhere: opens an exported file on another device and overrides `accelerator`; None
            for this computer.
        statement: the user's description of models that do not describe themselves.
    """

    protocol: str
    threads: int = 1
    network: Network | None = None
    weights: str | None = None
    input_size: Size | None = None
    short_side: int | None = None
    accelerator: str = CPU
    chip: str | None = None
    open_elsewhere: Callable[[Path], Session] | None = None
    statement: Statement = NOTHING


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model under test, to be closed after use.

    Attributes:
        path: the file, or the name of the network.
        sha256: SHA-256 of the file, or of the weights if there is no file, in hexadecimal.
        protocol: how images are fed to it.
        note: caveats for the user; may be empty.
    """

    path: Path
    sha256: str
    runtime: Runtime
    interface: Interface
    protocol: Protocol
    session: ImageSession
    note: str

    @property
    def name(self) -> str:
        """Display name: the file's name, and where it runs if that is not the host."""
        place = self.session.session.place
        return f"{self.path.name} on {place}" if place else self.path.name

    def with_note(self, note: str) -> "Candidate":
        """Return the model with `note` appended to its own; an empty one changes nothing."""
        return replace(self, note=" ".join(filter(None, (self.note, note))))

    def prepare(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [H, W, 3], RGB, into the network's input, float32 [h, w, channels].

        Raises:
            SeaformerError: the scaled image would not fit into memory.
        """
        x = self.protocol.prepare(image)
        if self.interface.normalizes_inside:
            return x
        return normalize(x, self.interface.preprocessing)

    def masks(
        self, inputs: npt.NDArray[np.float32], images: Sequence[Size]
    ) -> list[npt.NDArray[np.integer]]:
        """Segment images: return for each the class of every pixel, [H, W].

        Args:
            inputs: float32 [N, h, w, channels], as `prepare` returns them.
            images: height and width of each of the N images.

        Raises:
            UsageError: the output does not fit the interface.
            SeaformerError: the model fails, or gives values that are not finite.
        """
        outputs = self._run(inputs)
        found = self.interface.class_scores(outputs)
        if found is None and self.interface.meaning.gives_scores:
            channels = self.interface.meaning.channels(len(self.interface.labels))
            raise self._misfit(outputs, f"[1, {channels}, height, width]")
        if self.protocol.name == OFFICIAL and found is not None:
            scores, axis = found
            height, width = inputs.shape[1:3]
            return [
                two_step_mask(np.moveaxis(one, axis - 1, 0), (height, width), size)
                for one, size in zip(scores, images, strict=True)
            ]
        return [
            mask_from(output[None], self.interface, size)
            for output, size in zip(outputs, images, strict=True)
        ]

    def guesses(self, inputs: npt.NDArray[np.float32]) -> list[list[int]]:
        """Classify images, float32 [N, h, w, channels]: return the `top_classes` of each.

        Raises:
            UsageError, SeaformerError: as for `masks`.
        """
        outputs = self._run(inputs)
        if self.interface.meaning.gives_ids:
            return [[decided_class(one, self.interface)] for one in outputs.reshape(-1, 1)]
        found = self.interface.class_scores(outputs)
        if found is None:
            channels = self.interface.meaning.channels(len(self.interface.labels))
            raise self._misfit(outputs, f"[1, {channels}]")
        return [top_classes(scores) for scores in found[0]]

    def detections(
        self, inputs: npt.NDArray[np.float32], images: Sequence[Size]
    ) -> list[Detections]:
        """Detect objects: return the detections in each image, in its pixels.

        The arguments and errors are as for `masks`.
        """
        described = self.interface.detection
        assert described is not None  # true of every model of a detection task
        size = (inputs.shape[1], inputs.shape[2])
        return [
            decode(output[None], described, size, image)
            for output, image in zip(self._run(inputs), images, strict=True)
        ]

    @property
    def accelerated_by(self) -> str:
        """Runtime and accelerator with versions; "" for the CPU."""
        session = self.session.session
        is_on_cpu = self.runtime in RUNTIMES.values() and not session.place
        return "" if is_on_cpu else session.runtime

    def close(self) -> None:
        """Free the model's memory."""
        self.session.close()

    def _run(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        x = inputs.transpose(0, 3, 1, 2) if self.session.layout == "NCHW" else inputs
        if self.runtime == RUNTIMES[".pth"]:  # takes any size, and batches
            (outputs,) = self.session.session.run([np.ascontiguousarray(x)])
        else:
            outputs = np.concatenate(
                self.session.run_many([np.ascontiguousarray(one[None]) for one in x])
            )
        if not np.isfinite(outputs).all():
            raise SeaformerError(
                f"'{self.path}' returns values that are not finite. Its weights are damaged, or "
                "its precision is too low for them: evaluate it in fp32."
            )
        return outputs

    def _misfit(self, outputs: npt.NDArray[Any], allowed: str) -> UsageError:
        return UsageError(
            f"'{self.path}' returns an output of shape {list(outputs.shape)}. Allowed: {allowed}, "
            f"the {self.interface.meaning.content} of {len(self.interface.labels)} classes. Is it "
            "a model for another task?"
        )


def is_checkpoint(model: Path | Network) -> bool:
    """Whether a model is a PyTorch network, which takes any input size, and batches.

    Raises:
        UsageError: it does not have the suffix of a model file.
    """
    return isinstance(model, Network) or is_checkpoint_file(model)


def stated_task(
    model: Path | Network, weights: str | None, accelerator: str = CPU, chip: str | None = None
) -> Task | None:
    """Return the task that a model declares; None if it declares no known task.

    `weights` are for a network that is given by its name; the rest is as in `Options`.

    Raises:
        SeaformerError: the file cannot be read.
    """
    if isinstance(model, Network):
        from seaformer.weights.checkpoint import described_by

        return described_by(weights)[1]
    if is_checkpoint(model):
        from seaformer.weights.checkpoint import read_checkpoint

        return read_checkpoint(model).task
    with open_model(model, accelerator=accelerator, chip=chip) as session:
        task = None if session.metadata is None else session.metadata.task
    return None if task is None else TASKS.get(task)


def task_of_data(
    data: Path,
    statement: Statement,
    model: Path | Network,
    weights: str | None,
    accelerator: str = CPU,
    chip: str | None = None,
) -> Task | None:
    """Return the task of a data set, as stated by the user, the folder or the model; or None.

    Raises:
        UsageError: the description of the classes is invalid.
        SeaformerError: a file cannot be read.
    """
    stated = own_task(data)
    if statement.names_classes:
        stated = statement.applied_to(stated or get_task(DEFAULT_TASK))
    return stated or stated_task(model, weights, accelerator, chip)


def choose_protocol(wanted: str | None, models: Sequence[Path | Network], task: Task) -> str:
    """Return the protocol for all models; a comparison needs the same one for each.

    Raises:
        UnknownNameError: there is no protocol `wanted`.
        UsageError: the task is for detection, which has only the deployed protocol.
    """
    is_detection = task.kind == "detection"
    if wanted is None:
        has_official = task.evaluation is not None and not is_detection
        all_can = has_official and all(is_checkpoint(model) for model in models)
        return OFFICIAL if all_can else DEPLOYED
    if wanted not in PROTOCOLS:
        raise unknown_name("protocol", wanted, PROTOCOLS)
    if wanted == OFFICIAL and is_detection:
        raise UsageError(f"detection has no official protocol here. Allowed: {DEPLOYED}.")
    return wanted


def open_candidate(model: Path | Network, task: Task, options: Options) -> Candidate:
    """Load a model to evaluate on a data set of `task`.

    Raises:
        UsageError: the model has different classes, or does not support an option.
        SeaformerError: the file cannot be read.
    """
    if isinstance(model, Path) and not is_checkpoint(model):
        return _open_export(model, task, options)
    if options.open_elsewhere is not None:
        name = str(model) if isinstance(model, Path) else model.name
        raise UsageError(
            f"'{name}' is a PyTorch network, but a device runs only exported files. Export it "
            "first: seaformer-export."
        )
    if options.accelerator != CPU:
        raise needs_export(
            options.accelerator, str(model) if isinstance(model, Path) else model.name
        )
    return _open_network(model, task, options)


def _open_export(path: Path, task: Task, options: Options) -> Candidate:
    if options.protocol == OFFICIAL:
        raise UsageError(
            f"'{path}' takes images of one size, but the official protocol uses many sizes. "
            "Omit --protocol, or evaluate the checkpoint that the file was exported from."
        )
    if options.open_elsewhere is not None:
        session = take_images(options.open_elsewhere(path), task, options.input_size)
    else:
        session = open_model(
            path,
            options.threads,
            task=task,
            input_size=options.input_size,
            accelerator=options.accelerator,
            chip=options.chip,
        )
    try:
        return _candidate(path, task, options, session)
    except BaseException:
        session.close()
        raise


def _candidate(path: Path, task: Task, options: Options, session: ImageSession) -> Candidate:
    interface, note = stated_interface(session, options.statement.without_task(), task)
    interface.require_classes()
    note = " ".join(filter(None, (note, _compare_classes(path, interface, task))))
    preprocessing = interface.preprocessing
    if task.is_segmentation and preprocessing.resize != "stretch":
        raise UsageError(
            f"'{path}' takes only the center of an image (resize {preprocessing.resize}), so its "
            "mIoU over whole images cannot be measured."
        )
    protocol = deployed(preprocessing, session.input_shape)
    # With open_elsewhere, `accelerator` refers to the other device.
    accelerator = CPU if options.open_elsewhere else options.accelerator
    sha256, runtime = file_sha256(path), find_runtime(path, accelerator)
    return Candidate(path, sha256, runtime, interface, protocol, session, note)


def _open_network(model: Path | Network, task: Task, options: Options) -> Candidate:
    """Open a network for its own task, which may differ from `task` but has the same classes."""
    from seaformer.models.create import weights_hash
    from seaformer.runtimes.pytorch import open_checkpoint, open_network
    from seaformer.weights.checkpoint import described_by

    network = options.network if isinstance(model, Path) else model
    if network is not None:
        network.require_image("an evaluation")
    threads, size = options.threads, options.input_size
    if isinstance(model, Path):
        path = model
        session = open_checkpoint(path, network, task, threads, size)
    else:
        path, own = Path(model.name), described_by(options.weights)[1] or task
        of_data = Statement(labels=task.labels, palette=task.palette)
        session = open_network(
            model, options.weights, own, threads, size, options.statement, of_data
        )
    interface = session.metadata.require_classes()
    note = " ".join(filter(None, (session.note, _compare_classes(path, interface, task))))
    protocol = _protocol(interface, task.evaluation, options)
    assert interface.weights is not None  # true of every open network
    sha256 = interface.weights.sha256 or weights_hash(session.network)
    return Candidate(
        path, sha256, RUNTIMES[".pth"], interface, protocol, ImageSession(session), note
    )


def _protocol(interface: Interface, evaluation: Evaluation | None, options: Options) -> Protocol:
    """Return the protocol with the preprocessing that the network was trained with."""
    preprocessing = interface.preprocessing
    if options.protocol != OFFICIAL:
        return deployed(preprocessing, preprocessing.input_size)
    if evaluation is None:
        raise UsageError(
            f"task {interface.task} has no official protocol. Omit --protocol, or add "
            "'evaluation' to the task."
        )
    if preprocessing.crop_fraction is not None:
        size = preprocessing.input_size
        own_side = round(min(size) / preprocessing.crop_fraction)
        evaluation = replace(evaluation, short_side=own_side, crop_size=size)
    if options.short_side is not None:
        limit = evaluation.long_side_max
        evaluation = replace(
            evaluation,
            short_side=options.short_side,
            long_side_max=limit and limit * options.short_side // evaluation.short_side,
        )
    if interface.kind == "segmentation":
        return official_segmentation(preprocessing, evaluation)
    return official_classification(preprocessing, evaluation)


def _compare_classes(path: Path, interface: Interface, task: Task) -> str:
    """Refuse a model with other classes; return a note if only their names differ."""
    if (interface.kind, len(interface.labels)) != (task.kind, task.num_classes):
        raise UsageError(
            f"'{path}' is a model for {interface.kind} with {len(interface.labels)} classes, but "
            f"the data set (task {task.name}) is for {task.kind} with {task.num_classes}. Give the "
            "--task and the --data that the model was trained for."
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
        f"{len(differing)} class names of '{path}' differ from the data set's; the first is class "
        f"{index}: '{ours}', in the data set '{theirs}'. If the order differs too, the "
        "scores are meaningless."
    )
