"""Running checkpoints with PyTorch: the network as it was trained, before any export."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from seaformer.artifact.metadata import Interface, Output, Weights
from seaformer.errors import SeaformerError, UsageError
from seaformer.models.contract import contract_of, detection_output
from seaformer.models.create import create
from seaformer.models.entry import Network
from seaformer.models.identity import identified
from seaformer.models.resolve import as_network
from seaformer.network_names import members
from seaformer.runtimes.session import Array, Session, Tensor
from seaformer.tasks import Task, get_task
from seaformer.tasks.statement import NOTHING, Statement
from seaformer.weights.checkpoint import read_checkpoint


def open_session(
    path: Path,
    threads: int,
    variant: str | None = None,
    task: str | Task | None = None,
    input_size: tuple[int, int] | None = None,
) -> "PyTorchSession":
    """Load the file; see `seaformer.runtimes.open_model`."""
    network = as_network(variant) if variant else None
    session = open_checkpoint(path, network, task, threads, input_size)
    name = task.name if isinstance(task, Task) else task
    if name not in (None, session.metadata.task):
        raise UsageError(
            f"--task {name} does not fit '{path}', which is {session.metadata.task}. Omit it."
        )
    return session


def open_checkpoint(
    path: Path,
    network: Network | None,
    task: str | Task | None,
    threads: int = 1,
    input_size: tuple[int, int] | None = None,
) -> "PyTorchSession":
    """Load a checkpoint into its network, like `open_network`.

    Our own .safetensors files record network and task. For other files, the task has to be given,
    and the network is identified by tensor names and shapes unless it is given.

    Raises:
        UsageError: the network cannot be identified, or no task is known; as `open_network`.
        SeaformerError: the file cannot be read; as `open_network`.
    """
    checkpoint = read_checkpoint(path)
    own = checkpoint.task or (get_task(task) if isinstance(task, str) else task)
    if own is None:
        raise UsageError(
            f"'{path}' does not record its task. Give --task, or the names of its classes with "
            "--labels."
        )
    return open_network(network or identified(checkpoint), path, own, threads, input_size)


def open_network(
    network: Network,
    weights: str | Path | None,
    task: Task,
    threads: int = 1,
    input_size: tuple[int, int] | None = None,
    statement: Statement = NOTHING,
    otherwise: Statement = NOTHING,
) -> "PyTorchSession":
    """Create a network of the registry, or a user's own network, for inference on images.

    `weights` is a value of --weights; `input_size` is height and width, None for the task's size;
    `statement` is what the user states about the network; `otherwise` applies if neither the user
    nor the network states it.

    Raises:
        UsageError: the network is not for the task, or takes features.
        SeaformerError: the weights cannot be downloaded or read, or do not fit.
    """
    network.require_image("a prediction")
    torch.set_num_threads(threads)
    model, record = create(network, task, weights)
    contract = contract_of(network, model, task, statement, input_size, otherwise)
    assumed = (
        None if contract.output is None else Output.assumed(contract.meaning, *contract.output)
    )
    size = input_size or contract.task.preprocessing.input_size
    detection = detection_output(model, contract, size)
    if detection is not None:
        shape = (1, detection.anchors, contract.task.num_classes + 4)
        assumed = Output.assumed(contract.meaning, shape, "float32")
    interface = Interface.from_task(
        contract.task,
        "NCHW",
        size,
        weights=Weights.model_validate(record, from_attributes=True),
        output=assumed,
        knows_normalization=contract.knows_normalization,
        detection=detection,
        **members(network.name),
    )
    path = weights if isinstance(weights, Path) else Path(network.name)
    return PyTorchSession(interface, model, path, contract.note)


class PyTorchSession(Session):
    """A network in PyTorch on the CPU; its input is a normalized image.

    `note` is a sentence about what was detected of its output rather than stated.
    """

    metadata: Interface

    def __init__(
        self, interface: Interface, network: torch.nn.Module, path: Path, note: str = ""
    ) -> None:
        self.path, self.note = path, note
        self.runtime = f"PyTorch {torch.__version__}"
        self.metadata = interface
        channels = interface.input.channels
        self.inputs = (Tensor("image", "float32", (1, channels, None, None)),)
        self.outputs = (Tensor("logits", "float32", (1, None, None, None)),)
        self._network: torch.nn.Module | None = network

    @property
    def network(self) -> torch.nn.Module:
        """The network itself.

        Raises:
            SeaformerError: the session is closed.
        """
        if self._network is None:
            raise self.closed()
        return self._network

    def resize(self, shape: Sequence[int]) -> None:
        """Do nothing: the network adapts to the shape of each input."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        network = self.network
        try:
            with torch.inference_mode():
                return [network(*map(torch.from_numpy, inputs)).numpy()]
        except RuntimeError as error:
            raise self.cannot_run(error) from error

    def computed_by(self, operator: int) -> str:
        """Raise SeaformerError: the keys of a network are the paths of its modules."""
        raise SeaformerError(f"'{self.path}' is a checkpoint and has no operator {operator}.")

    def fetch(self, keys: Sequence[str], inputs: Sequence[Array]) -> list[Array]:
        """Run once; return the last outputs of modules, by their paths."""
        outputs: dict[str, Array] = {}

        def keep(key: str, _module: object, _inputs: object, output: torch.Tensor) -> None:
            outputs[key] = output.numpy()

        with ExitStack() as hooks:
            for key in keys:
                module = self.network.get_submodule(key)
                hooks.callback(module.register_forward_hook(partial(keep, key)).remove)
            self.run(inputs)
        return [outputs[key] for key in keys]

    def close(self) -> None:
        """Free the memory of the model."""
        self._network = None
