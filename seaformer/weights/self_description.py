"""What weights say of themselves, so that a command needs no further flags for them."""

from pathlib import Path

from seaformer.tasks import Task, get_task
from seaformer.weights.builtin import BUILTIN
from seaformer.weights.checkpoint import read_checkpoint


def described_by(weights: str | None) -> tuple[str | None, Task | None]:
    """Return the name of the network and the task that weights are for, as far as they say it.

    Args:
        weights: as given to `--weights`. Those that come with the package and our own .safetensors
            files say both; others say nothing.

    Raises:
        SeaformerError: it is a .safetensors file that cannot be read.
    """
    for builtin in BUILTIN:
        if weights == builtin.name:
            return builtin.network, get_task(builtin.task)
    if weights is None or not weights.endswith(".safetensors") or weights.startswith("backbone:"):
        return None, None
    checkpoint = read_checkpoint(Path(weights).expanduser())
    return checkpoint.network, checkpoint.task
