"""The command `seaformer-predict`: a photograph and a model file in, a coloured mask out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seaformer.artifact.accelerators import needs_export
from seaformer.cli.command import PATH, Command
from seaformer.cli.processor_options import (
    Processor,
    processor_options,
    read_processor,
)
from seaformer.cli.statement_options import read_statement, statement_options
from seaformer.errors import UsageError
from seaformer.files import atomic_write, refuse_existing
from seaformer.imaging.input_size import parse_input_size
from seaformer.models.seaformer.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from seaformer.artifact.metadata import Interface
    from seaformer.console import Console
    from seaformer.imaging.prediction import Prediction
    from seaformer.models.entry import Network
    from seaformer.runtimes import ImageSession
    from seaformer.tasks.statement import Statement

# NumPy, Pillow, Rich and the runtimes are imported when the work starts: --help shall not wait.

OVERLAY_SUFFIXES = (".png", ".jpg", ".jpeg")

LISTED_CLASSES = 12
TOP = 5


@click.command(cls=Command)
@click.argument("photo", type=PATH, required=False)
@click.option(
    "-m",
    "--model",
    "model_text",
    metavar="FILE|NAME",
    required=True,
    help="Model file: .tflite, .onnx, or a checkpoint (.pth, .pt, .safetensors). Or a network by "
    "its name, see seaformer-export --list, with --weights.",
)
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="Weights of a network that --model names, as for seaformer-export. [default: random]",
)
@click.option(
    "--variant",
    metavar="NAME",
    help=f"Variant of a checkpoint whose tensors do not tell it: {', '.join(VARIANTS)}.",
)
@statement_options()
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="Overlay to write, .png or .jpg. [default: <photo>_overlay.png here]",
)
@click.option(
    "--mask", type=PATH, help="Also write the class indices as a grey .png, 8 or 16 bits."
)
@click.option(
    "--heatmap",
    type=PATH,
    help="Also write where the last attention layer answers most, as a .png: the mean over its "
    "channels, 0 to 255, in colour.",
)
@click.option(
    "--opacity",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of the colours over the photograph.",
)
@processor_options
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--input-size",
    metavar="HEIGHTxWIDTH",
    help="For a model that takes any size; one number for a square.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def main(
    photo: Path | None,
    model_text: str,
    weights: str | None,
    variant: str | None,
    output: Path | None,
    mask: Path | None,
    heatmap: Path | None,
    opacity: float,
    accelerator: str,
    soc: str | None,
    threads: int,
    input_size: str | None,
    force: bool,
    **statement: str | None,
) -> None:
    """Run a model on PHOTO and lay the classes it finds over it in colour.

    Without PHOTO the photograph that comes with the package is taken. A classification model prints
    its five most probable classes and writes nothing. A file that was not exported by
    seaformer-export does not say what it takes and gives: say it with --input-range, --mean, --std,
    --labels or --task.
    """
    _require_suffix("--output", output, OVERLAY_SUFFIXES)
    _require_suffix("--mask", mask, (".png",))
    _require_suffix("--heatmap", heatmap, (".png",))
    size = None if input_size is None else parse_input_size(input_size)
    processor = read_processor(accelerator, soc)
    said = read_statement(**statement)

    from seaformer.console import Console
    from seaformer.imaging.images import read_image, sample_photograph
    from seaformer.imaging.prediction import TIMED_RUNS, predict, prepare_input
    from seaformer.models.resolve import find_model
    from seaformer.runtimes.stated_interface import stated_interface

    photo = photo or sample_photograph()
    image = read_image(photo)
    found = find_model(model_text)
    model = found if isinstance(found, Path) else Path(found.name)
    with _open(found, weights, variant, said, size, threads, processor) as session:
        _require_variant(session, model, variant)
        interface, note = stated_interface(session, said)
        interface.require_classes()
        note = note or getattr(session.session, "note", "")
        if interface.kind == "segmentation":
            output = output or Path(f"{photo.stem}_overlay.png")
        elif output or mask:
            raise UsageError(
                f"'{model}' classifies: there is no mask to write. Leave the file out."
            )
        _check_outputs(photo, {"--output": output, "--mask": mask, "--heatmap": heatmap}, force)
        features = None
        if heatmap is not None:
            from seaformer.imaging.heatmap import heat, last_attention, save_heatmap

            features = last_attention(model, session, prepare_input(image, session, interface))
        runs = 0 if processor.is_emulated else TIMED_RUNS
        prediction = predict(image, session, interface, runs)
        (height, width), runtime = session.input_shape, session.session.runtime

    console = Console(soft_wrap=True)
    console.print(f"{photo}: {image.shape[1]} x {image.shape[0]} pixels")
    console.print(f"{model}: {interface.title}, input {width} x {height}")
    if output is not None and prediction.mask is not None:
        _save(prediction.photograph, prediction.mask, interface, output, mask, opacity, force)
    if heatmap is not None and features is not None:
        save_heatmap(heatmap, heat(features, prediction.photograph.shape[:2]), force)
    _print_result(console, prediction, interface, note)
    if prediction.run_ms is None:
        console.print(f"computed by {runtime}, whose times mean nothing")
    else:
        console.print(
            f"time on this computer: prepare {prediction.prepare_ms:.1f} ms, "
            f"run {prediction.run_ms:.1f} ms (median of {TIMED_RUNS} after a warm-up, "
            f"{threads} thread{'s' * (threads > 1)}), finish {prediction.finish_ms:.1f} ms"
        )
    for kind, path in (("overlay", output), ("mask", mask), ("heat map", heatmap)):
        if path is not None:
            console.print(f"{kind}: {path.absolute()}")


def _require_suffix(option: str, path: Path | None, suffixes: tuple[str, ...]) -> None:
    if path is not None and path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} is '{path}'. Allowed: a name in {', '.join(suffixes)}.")


def _check_outputs(photo: Path, outputs: Mapping[str, Path | None], force: bool) -> None:
    """Refuse files that must not be written, before the work."""
    taken = {photo.resolve(): "the photograph"}
    for option, path in outputs.items():
        if path is None:
            continue
        if path.resolve() in taken:
            raise UsageError(f"{option} '{path}' is {taken[path.resolve()]}. Give another name.")
        taken[path.resolve()] = f"{option} as well"
        refuse_existing(path, force)


def _open(
    found: Path | Network,
    weights: str | None,
    variant: str | None,
    said: Statement,
    input_size: tuple[int, int] | None,
    threads: int,
    processor: Processor,
) -> ImageSession:
    """Open a file, or create a network by its name."""
    from seaformer.runtimes import ImageSession, open_model
    from seaformer.tasks import DEFAULT_TASK, get_task

    if isinstance(found, Path):
        if weights is not None:
            raise UsageError(
                f"--weights goes with a --model that names a network, and '{found}' is a file. "
                "Leave it out."
            )
        return open_model(
            found,
            threads,
            variant=variant,
            task=said.applied_to(get_task(DEFAULT_TASK)) if said.names_classes else None,
            input_size=input_size,
            accelerator=processor.accelerator,
            chip=processor.chip,
        )
    if processor.is_emulated:
        raise needs_export(processor.accelerator, found.name)
    from seaformer.models.resolve import chosen
    from seaformer.runtimes.pytorch import open_network
    from seaformer.weights.checkpoint import described_by

    chosen(found.name, variant)  # an error if the two differ
    own = said.applied_to(described_by(weights)[1] or get_task(DEFAULT_TASK))
    return ImageSession(open_network(found, weights, own, threads, input_size, said))


def _require_variant(session: ImageSession, model: Path, variant: str | None) -> None:
    """Refuse a variant that is not that of a file, which says it."""
    own = None if session.metadata is None else session.metadata.variant
    if session.metadata is not None and variant not in (None, own):
        raise UsageError(
            f"--variant {variant} does not fit '{model}', which is {own}. Leave the option out."
        )


def _save(
    photograph: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.unsignedinteger],
    interface: Interface,
    output: Path,
    mask: Path | None,
    opacity: float,
    force: bool,
) -> None:
    from PIL import Image

    from seaformer.imaging.overlay import RANDOM_WEIGHTS_NOTE, draw_overlay

    overlay = draw_overlay(
        photograph,
        classes,
        interface.labels,
        interface.palette,
        opacity,
        note=RANDOM_WEIGHTS_NOTE if interface.is_random else None,
        max_classes=LISTED_CLASSES,
    )
    with atomic_write(output, replace=force) as temporary:
        # Of no effect on .png: full-resolution colour, as the masks have sharp edges.
        overlay.save(temporary, quality=92, subsampling=0)
    if mask is not None:
        with atomic_write(mask, replace=force) as temporary:
            Image.fromarray(classes).save(temporary)


def _print_result(
    console: Console, prediction: Prediction, interface: Interface, note: str
) -> None:
    from rich.table import Table
    from rich.text import Text

    from seaformer.imaging.overlay import class_shares

    if interface.is_random:
        console.print("random weights: the result means nothing", style="bold yellow")
    if note:
        console.print(note, style="bold yellow")
    if interface.weights is not None and interface.weights.note:
        console.print(interface.weights.note, style="bold yellow")
    if prediction.decided is not None:
        console.print(f"class: {interface.labels[prediction.decided]}")
        return
    table = Table()
    table.add_column("class")
    if prediction.probabilities is not None:
        table.add_column("probability", justify="right")
        for index in (-prediction.probabilities).argsort(kind="stable")[:TOP]:
            percent = f"{100 * prediction.probabilities[index]:.1f} %"
            table.add_row(interface.labels[index], percent)
    elif prediction.mask is not None:
        table.add_column("share", justify="right")
        shares = class_shares(prediction.mask, interface.labels, interface.palette)
        for entry in shares[:LISTED_CLASSES]:
            swatch = Text("  ", style="on #{:02x}{:02x}{:02x}".format(*entry.color))
            table.add_row(swatch + Text(f" {entry.name}"), f"{100 * entry.share:.1f} %")
        if rest := shares[LISTED_CLASSES:]:
            share = sum(entry.share for entry in rest)
            table.add_row(f"   + {len(rest)} more", f"{100 * share:.1f} %")
    console.print(table)


if __name__ == "__main__":
    main()
