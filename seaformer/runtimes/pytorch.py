"""Running checkpoints with PyTorch: the network as it was trained, before any export."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seaformer.errors import SeaformerError, UsageError
from seaformer.model import create_model_with_record
from seaformer.runtimes.metadata import SCHEMA_VERSION
from seaformer.runtimes.session import Options, Session, reason
from seaformer.tasks import Task, get_task
from seaformer.weights.checkpoint import Checkpoint, read_checkpoint
from seaformer.weights.identity import identify
from seaformer.weights.loading import WeightsRecord


def open_session(path: Path, options: Options) -> "PyTorchSession":
    """Load the file; see `seaformer.runtimes.open_model`.

    Our own .safetensors files say their variant and task. Of other files the variant is recognised
    by the shapes of the tensors, and the task has to be given.
    """
    checkpoint = read_checkpoint(path)
    task = _task(options.task, checkpoint.task, path)
    variant = options.variant or _variant(checkpoint)
    torch.set_num_threads(options.threads)
    network, record = create_model_with_record(variant, task, path)
    size = options.input_size or task.preprocessing.input_size
    return PyTorchSession(_metadata(variant, task, size, record), size, network, path)


class PyTorchSession(Session):
    """A network in PyTorch on the CPU; its input is normalised RGB."""

    def __init__(
        self,
        metadata: dict[str, Any],
        input_shape: tuple[int, int],
        network: torch.nn.Module,
        path: Path,
    ) -> None:
        super().__init__(metadata, "NCHW", input_shape)
        self._network: torch.nn.Module | None = network
        self._path = path

    @property
    def network(self) -> torch.nn.Module:
        """The network itself.

        Raises:
            SeaformerError: the session is closed.
        """
        if self._network is None:
            raise SeaformerError(f"'{self._path}' is closed. Open it again.")
        return self._network

    def _run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        network = self.network
        try:
            with torch.inference_mode():
                output: npt.NDArray[Any] = network(torch.from_numpy(x)).numpy()
        except RuntimeError as error:
            raise SeaformerError(f"PyTorch cannot run '{self._path}': {reason(error)}.") from error
        return output

    def close(self) -> None:
        """Free the model's memory."""
        self._network = None


def _task(wanted: str | None, stored: Task | None, path: Path) -> Task:
    if stored is None:
        if wanted is None:
            raise UsageError(f"'{path}' does not say its task. Give --task.")
        return get_task(wanted)
    if wanted not in (None, stored.name):
        raise UsageError(
            f"--task {wanted} does not fit '{path}', which is {stored.name}. Leave it out."
        )
    return stored


def _variant(checkpoint: Checkpoint) -> str:
    identity = identify(checkpoint)
    if identity is None:
        raise UsageError(
            f"the variant of '{checkpoint.path}' cannot be told by its tensors. Give --variant."
        )
    return identity.variant.name


def _metadata(
    variant: str, task: Task, size: tuple[int, int], record: WeightsRecord
) -> dict[str, Any]:
    """Describe the network as an export of it would."""
    preprocessing = task.to_json()["preprocessing"]
    height, width = size
    return {
        "schema_version": SCHEMA_VERSION,
        "variant": variant,
        "task": task.name,
        "kind": task.kind,
        "precision": "fp32",
        "input": {
            "name": "image",
            "shape": [1, 3, height, width],
            "dtype": "float32",
            "layout": "NCHW",
            "normalization": "outside",
            **{key: preprocessing[key] for key in preprocessing if key != "input_size"},
        },
        "output": {"layout": "NCHW", "content": "logits"},
        "labels": list(task.labels),
        "palette": task.palette and [list(color) for color in task.palette],
        "weights": {"name": record.name, "is_random": record.is_random},
    }
