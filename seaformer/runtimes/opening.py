"""Opening a file or a network to run it on images."""

from pathlib import Path

from seaformer.artifact.accelerators import CPU, needs_export
from seaformer.errors import UsageError
from seaformer.models.entry import Network
from seaformer.models.resolve import chosen
from seaformer.runtimes import ImageSession, open_model
from seaformer.tasks import DEFAULT_TASK, get_task
from seaformer.tasks.statement import NOTHING, Statement


def open_found(
    found: Path | Network,
    weights: str | None = None,
    *,
    variant: str | None = None,
    statement: Statement = NOTHING,
    input_size: tuple[int, int] | None = None,
    threads: int = 1,
    accelerator: str = CPU,
    chip: str | None = None,
) -> ImageSession:
    """Open a file, or create a network; see `seaformer.runtimes.open_model`.

    Args:
        found: result of `find_model`.
        weights: weights of a network, a value of --weights.
        variant: variant of a checkpoint that does not record it.
        statement: what the user states about the model.
        input_size: height and width in pixels, for a model that takes any.
        threads: threads for one run, at least 1.
        accelerator: accelerator for an exported file.
        chip: chip of the accelerator npu.

    Raises:
        UsageError: an argument does not fit the file or network.
        SeaformerError: it cannot be opened.
    """
    if isinstance(found, Path):
        if weights is not None:
            raise UsageError(
                f"--weights is for a --model that is the name of a network, but '{found}' is a "
                "file. Omit it."
            )
        return open_model(
            found,
            threads,
            variant=variant,
            task=statement.applied_to(get_task(DEFAULT_TASK)) if statement.names_classes else None,
            input_size=input_size,
            accelerator=accelerator,
            chip=chip,
        )
    if accelerator != CPU:
        raise needs_export(accelerator, found.name)
    from seaformer.runtimes.pytorch import open_network
    from seaformer.weights.checkpoint import described_by

    chosen(found.name, variant)  # raises if the two differ
    own = statement.applied_to(described_by(weights)[1] or get_task(found.usual_task))
    return ImageSession(open_network(found, weights, own, threads, input_size, statement))
