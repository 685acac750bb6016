"""What an export is asked for, checked before any work is done."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError, UsageError, look_up, unknown_name
from seaformer.export.formats import FORMATS, PRECISIONS, Format, Precision
from seaformer.export.heads import HEADS
from seaformer.export.sidecar import check_sidecar
from seaformer.files import refuse_existing
from seaformer.input_size import parse_input_size
from seaformer.tasks import Task, get_task
from seaformer.variants import VARIANTS, get_variant

DEFAULT_TASK = "ade20k"
NORMALIZE = ("inside", "outside")


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes:
        variant: of SeaFormer, or None.
        task: the task.
        formats: to write, each once.
        precisions: to write, each once.
        sizes: heights and widths to export for.
        weights: as given to --weights; None for random ones.
        normalize: "inside" or "outside".
        head: name of the head.
        output: folder for the files.
        force: whether files may be overwritten.
        factory: of a user's model; None with a variant, and not None without.
    """

    variant: str | None
    task: Task
    formats: tuple[Format, ...]
    precisions: tuple[Precision, ...]
    sizes: tuple[tuple[int, int], ...]
    weights: str | None
    normalize: str
    head: str
    output: Path
    force: bool
    factory: str | None

    def path(self, name: str, size: tuple[int, int], precision: Precision, format: Format) -> Path:
        """Name of an exported file, such as seaformer_tiny_ade20k_512x512_fp32.tflite."""
        ending = "" if self.head == "logits" else f"_{self.head}"
        stem = f"{name}_{size[0]}x{size[1]}_{precision.name}{ending}"
        return self.output / f"{stem}{format.suffix}"


def make_request(
    *,
    variant: str | None,
    task: str | None,
    formats: Sequence[str],
    precisions: Sequence[str],
    input_sizes: Sequence[str],
    weights: str | None,
    normalize: str,
    head: str,
    output: Path,
    force: bool,
    factory: str | None,
) -> Request:
    """Check what a user asked for.

    A variant or a task that is not given is that of the weights, if they say it; the task is else
    ADE20K.

    Raises:
        UsageError: a value is unknown or does not go with another one.
    """
    if normalize not in NORMALIZE:
        raise unknown_name("normalization", normalize, NORMALIZE)
    if factory is not None and weights is not None:
        raise UsageError("--weights does not go with --model: the factory loads its own weights.")
    their_variant, their_task = None, None
    if weights is not None:
        # It imports torch, which a misspelt name shall not wait for.
        from seaformer.weights.self_description import described_by

        their_variant, their_task = described_by(weights)
    known_task = their_task or get_task(DEFAULT_TASK) if task is None else get_task(task)
    variant = variant or their_variant
    if (variant is None) == (factory is None):
        raise UsageError(
            f"give --variant ({', '.join(VARIANTS)}) or --model MODULE:FACTORY, one of the two."
        )
    if look_up(HEADS, "head", head).name != "logits" and not known_task.is_segmentation:
        raise UsageError(
            f"head '{head}' is for segmentation, and task '{known_task.name}' is classification. "
            "Leave --head out."
        )
    sizes = [parse_input_size(text) for text in input_sizes]
    return Request(
        variant=None if variant is None else get_variant(variant).name,
        task=known_task,
        formats=tuple(look_up(FORMATS, "format", n) for n in dict.fromkeys(formats)),
        precisions=tuple(look_up(PRECISIONS, "precision", n) for n in dict.fromkeys(precisions)),
        sizes=tuple(dict.fromkeys(sizes)) or (known_task.preprocessing.input_size,),
        weights=weights,
        normalize=normalize,
        head=head,
        output=output,
        force=force,
        factory=factory,
    )


def prepare_output(request: Request, name: str) -> None:
    """Make the output folder, and refuse to start if a file could not be written in the end.

    Raises:
        UsageError: a file exists and may not be overwritten.
        SeaformerError: the folder cannot be made or written to.
    """
    try:
        request.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SeaformerError(
            f"the output folder '{request.output}' cannot be made: {error.strerror}. "
            "Give another one with --output."
        ) from error
    if not os.access(request.output, os.W_OK | os.X_OK):
        raise SeaformerError(
            f"the output folder '{request.output}' is not writable. Give another with --output."
        )
    for size in request.sizes:
        for precision in request.precisions:
            for format in request.formats:
                path = request.path(name, size, precision, format)
                refuse_existing(path, request.force)
                check_sidecar(path, request.force)
