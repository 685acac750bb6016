"""The built-in weights, which are part of the package; see `seaformer/data/weights/README.md`."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from seaformer.errors import UnknownNameError
from seaformer.network_names import in_words
from seaformer.tasks import Task


@dataclass(frozen=True)
class BuiltinWeights:
    """A file in the folder `data/weights` of the package, with the names of its network and task.

    `name` is the value of `--weights`.
    """

    name: str
    network: str
    task: str
    file_name: str

    @property
    def path(self) -> Path:
        """Path of the file."""
        return Path(str(resources.files("seaformer") / "data" / "weights" / self.file_name))

    @property
    def source(self) -> str:
        """Path of the file within the package."""
        return f"seaformer, data/weights/{self.file_name}"


BUILTIN = (
    BuiltinWeights("shapes", "seaformer-tiny", "shapes", "shapes_tiny.safetensors"),
    BuiltinWeights(
        "shapes-detection",
        "seaformer-tiny-retinanet-narrow",
        "shapes-detection",
        "shapes_tiny_retinanet_narrow.safetensors",
    ),
)


def find_builtin(name: str, network: str, task: Task) -> BuiltinWeights | None:
    """Return the built-in weights called `name`, or None if there are none.

    Raises:
        UnknownNameError: the weights are for another network or task.
    """
    named = [weights for weights in BUILTIN if weights.name == name]
    for weights in named:
        if (weights.network, weights.task) == (network, task.name):
            return weights
    if not named:
        return None
    fitting = "; ".join(f"{in_words(weights.network)} and task {weights.task}" for weights in named)
    raise UnknownNameError(
        f"the weights '{name}' are not for {in_words(network)} and task {task.name}. Allowed: "
        f"{fitting}. A file of this name is given as ./{name}."
    )
